#include "units.h"

#include <stdio.h>

format_conversion_fn format_conversion;

int format_conversion(const struct conversion *c, char *text, size_t size) {
    return snprintf(text, size, "%g\t%s\t%g\t%s\n", c->value, c->from, c->result, c->to);
}
