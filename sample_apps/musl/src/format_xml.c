#include "units.h"

#include <stdio.h>

format_conversion_fn format_conversion;

int format_conversion(const struct conversion *c, char *text, size_t size) {
    return snprintf(text, size, "<conversion><value unit=\"%s\">%g</value><result unit=\"%s\">%g</result></conversion>\n",
                    c->from, c->value, c->to, c->result);
}
