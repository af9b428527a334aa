/* Threads, fork, vfork, a chain of programs, and a program started by a thread. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void legacy_open(const char *name) {
    long fd = syscall(SYS_open, name, O_RDONLY);
    if (fd >= 0) close(fd);
}

static void *in_thread(void *unused) {
    (void)unused;
    legacy_open("thread-before");
    syscall(SYS_chdir, "etc"); /* threads share the working directory */
    return NULL;
}

static void *unshared(void *unused) {
    (void)unused;
    unshare(CLONE_FS);
    syscall(SYS_chdir, "/usr"); /* of this thread alone */
    legacy_open("unshared");
    return NULL;
}

static void *executing(void *path) {
    execl(path, "tasks", "last", (char *)NULL);
    return NULL;
}

static void *sleeping(void *unused) {
    (void)unused;
    for (;;) pause();
}

int main(int argc, char **argv) {
    pthread_t thread;
    pid_t child;
    const char *stage = argc > 1 ? argv[1] : "first";
    if (!strcmp(stage, "last")) {
        legacy_open("last");
        syscall(SYS_setgroups, 0, NULL);
        if (syscall(SYS_setresgid, 65534, 65534, 65534)) return 3;
        if (syscall(SYS_setuid, 65534)) return 4;
        return 0;
    }
    if (!strcmp(stage, "forked")) {
        legacy_open("forked");
        return 0;
    }
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
    legacy_open("after-thread");
    pthread_create(&thread, NULL, unshared, NULL);
    pthread_join(thread, NULL);
    legacy_open("after-unshared");
    if (!(child = fork())) {
        syscall(SYS_chdir, "/usr/lib");
        legacy_open("in-fork");
        execl(argv[0], argv[0], "forked", (char *)NULL);
        _exit(9);
    }
    waitpid(child, NULL, 0);
    if (!(child = vfork())) {
        execl("/nowhere/program", "program", (char *)NULL);
        execl(argv[0], argv[0], "forked", (char *)NULL);
        _exit(9);
    }
    waitpid(child, NULL, 0);
    if (!(child = fork())) {
        legacy_open("to-be-killed");
        kill(getpid(), 9);
        _exit(9);
    }
    waitpid(child, NULL, 0);
    pthread_create(&thread, NULL, sleeping, NULL);
    pthread_create(&thread, NULL, executing, argv[0]);
    for (;;) pause();
}
