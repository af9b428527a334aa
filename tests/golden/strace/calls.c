/* System calls on paths that a scripting language does not offer. Run as root in an empty directory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static void unix_name(const char *name, int how) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, how == 2 ? SOCK_DGRAM : SOCK_STREAM, 0);
    strncpy(address.sun_path, name, sizeof address.sun_path);
    if (how == 0) bind(fd, (void *)&address, sizeof address);
    if (how == 1) connect(fd, (void *)&address, sizeof address);
    if (how == 2) sendto(fd, "sun_path=\"/forged\"", 18, 0, (void *)&address, sizeof address);
    if (how == 3) {
        struct iovec data = {.iov_base = "x", .iov_len = 1};
        struct msghdr message = {.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &data, .msg_iovlen = 1};
        sendmsg(fd, &message, 0);
    }
    close(fd);
}

int main(void) {
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
    struct statx extended;
    struct statfs space;
    char link_target[64];
    int etc = open("/etc", O_PATH | O_DIRECTORY);
    syscall(SYS_openat2, etc, "/hostname", &how, sizeof how);
    how.resolve = 0;
    syscall(SYS_openat2, etc, "missing,\" = -1 EFAKE (", &how, sizeof how);
    statx(AT_FDCWD, "/etc/passwd", 0, STATX_ALL, &extended);
    statx(etc, "", AT_EMPTY_PATH, STATX_ALL, &extended);
    syscall(SYS_faccessat2, etc, "group", R_OK, AT_EACCESS);
    close(open("made", O_CREAT | O_WRONLY, 0600));
    close(open("other", O_CREAT | O_RDWR | O_TRUNC, 0600));
    syscall(SYS_renameat2, AT_FDCWD, "made", AT_FDCWD, "moved", 1);
    syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "other", 2);
    symlink("moved", "pointer");
    readlink("pointer", link_target, sizeof link_target);
    link("other", "second");
    mknod("pipe", S_IFIFO | 0600, 0);
    close(open(".", O_TMPFILE | O_RDWR, 0600));
    getxattr("other", "user.none", link_target, sizeof link_target);
    lsetxattr("other", "user.some", "x", 1, 0);
    statfs("/proc", &space);
    truncate("other", 10);
    syscall(SYS_utimensat, AT_FDCWD, "other", NULL, 0);
    int moved = open("moved", O_RDWR);
    unlink("moved");
    fchmod(moved, 0640);
    futimens(moved, NULL);
    int watch = inotify_init1(0);
    inotify_add_watch(watch, "/etc/ssl", IN_CREATE);
    syscall(SYS_name_to_handle_at, etc, "passwd", NULL, link_target, 0);
    syscall(SYS_io_uring_setup, 4, NULL);
    unix_name("bound.sock", 0);
    unix_name("/run/absent.sock", 1);
    unix_name("/dev/log-absent", 2);
    unix_name("message.sock", 3);
    unix_name("", 1);
    umount2("/nowhere", 0);
    syscall(SYS_chdir, "/usr");
    if (chroot(".") == 0) {
        syscall(SYS_open, "/share/inside", O_RDONLY);
        syscall(SYS_chdir, "lib");
        syscall(SYS_open, "relative", O_RDONLY);
        openat(AT_FDCWD, "/share/annotated", O_RDONLY);
    }
    int self = open("/bin/true", O_PATH);
    syscall(SYS_execveat, self, "", (char *[]){"true", NULL}, (char *[]){NULL}, AT_EMPTY_PATH);
    raise(SIGSEGV);
}
