/* The shared library: which unit is how many of its kind's base unit. */
#include "units.h"

#include <string.h>

static const struct {
    const char *name, *kind;
    double factor;
} units[] = {
    {"m", "length", 1.0},       {"km", "length", 1000.0}, {"mi", "length", 1609.344}, {"ft", "length", 0.3048},
    {"kg", "mass", 1.0},        {"lb", "mass", 0.45359237}, {"g", "mass", 0.001},
    {"s", "time", 1.0},         {"h", "time", 3600.0},
};

static int find(const char *name) {
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].name, name) == 0)
            return (int)i;
    return -1;
}

int convert_units(struct conversion *conversion) {
    int from = find(conversion->from), to = find(conversion->to);
    if (from < 0 || to < 0 || strcmp(units[from].kind, units[to].kind) != 0)
        return -1;
    conversion->result = conversion->value * units[from].factor / units[to].factor;
    return 0;
}
