#ifndef UNITS_H
#define UNITS_H

#include <stddef.h>

/* A result to be written by one of the formats. */
struct conversion {
    double value, result;
    const char *from, *to;
};

/* Fills in the result; returns 0, or -1 where the two units do not fit each other. */
int convert_units(struct conversion *conversion);

/* What each format exports under the name "format_conversion": writes the text, returns its length. */
typedef int format_conversion_fn(const struct conversion *conversion, char *text, size_t size);

#endif
