/* An app that misbehaves as its first argument says; a static binary, so that its image needs nothing else. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 8080

static int is_traced(void) {
    char line[256];
    int tracer = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "TracerPid: %d", &tracer) == 1)
            break;
    if (status != NULL)
        fclose(status);
    return tracer != 0;
}

static void on_signal(int number) {
    (void)number;
    _exit(0);
}

static void never_end(void) {
    for (;;)
        pause();
}

static void serve(in_addr_t address, const char *status, const char *body) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = {htonl(address)}};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&where, sizeof where) != 0 || listen(listener, 16) != 0)
        exit(1);
    for (;;) {
        char request[4096];
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        if (read(client, request, sizeof request) > 0)
            dprintf(client, "HTTP/1.0 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s", status,
                    strlen(body), body);
        close(client);
    }
}

/* Follows a chain of files from /first, each of which names the next. */
static const char *end_of_chain(void) {
    static char path[64] = "/first";
    for (;;) {
        char next[64] = "";
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return "broken chain\n";
        ssize_t size = read(file, next, sizeof next - 1);
        close(file);
        if (size <= 0)
            return "broken link\n";
        if (next[0] != '/')
            return "hello\n";
        memcpy(path, next, sizeof path);
    }
}

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "serve";
    signal(SIGTERM, on_signal);
    if (strcmp(how, "exit") == 0) {
        printf("reading the settings\nno \033[31mdatabase\033[0m at db:5432\n");
        return 3;
    }
    if (strcmp(how, "idle") == 0)
        never_end();
    if (strcmp(how, "shy") == 0 && !is_traced())
        never_end();
    if (strcmp(how, "local") == 0)
        serve(INADDR_LOOPBACK, "200 OK", "here\n");
    if (strcmp(how, "broken") == 0)
        serve(INADDR_ANY, "503 Service Unavailable", "no\n");
    if (strcmp(how, "watched") == 0)
        serve(INADDR_ANY, "200 OK", is_traced() ? "I am watched\n" : "I am alone\n");
    if (strcmp(how, "chained") == 0)
        serve(INADDR_ANY, "200 OK", getuid() == 0 ? "hello\n" : end_of_chain());
    close(open("/data", O_RDONLY | O_CLOEXEC));
    serve(INADDR_ANY, "200 OK", "hello\n");
}
