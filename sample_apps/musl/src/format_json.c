#include "units.h"

#include <stdio.h>

format_conversion_fn format_conversion;

int format_conversion(const struct conversion *c, char *text, size_t size) {
    return snprintf(text, size, "{\"from\": \"%s\", \"to\": \"%s\", \"value\": %g, \"result\": %g}\n",
                    c->from, c->to, c->value, c->result);
}
