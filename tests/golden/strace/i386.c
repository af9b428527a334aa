/* 32-bit calls without a C library: gcc -m32 -nostdlib -static. */
static int call(int number, long one, long two, long three) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(one), "c"(two), "d"(three) : "memory");
    return result;
}

static void *empty[] = {(void *)0};

void _start(void) {
    char status[128];
    call(5, (long)"/etc/hostname", 0, 0);
    call(195, (long)"etc/passwd", (long)status, 0);
    call(11, (long)"/bin/true", (long)empty, (long)empty);
    call(1, 1, 0, 0);
}
