/* Converts units, on the command line or over HTTP:
 *   convert-units VALUE FROM TO [FORMAT]
 *   convert-units serve PORT          GET /convert/VALUE/FROM/TO/FORMAT, GET /time/ZONE/SECONDS, GET /
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "units.h"

static const char formats[] = "/app/lib/formats";
static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

/* Writes the conversion by the format of that name, opened at run time; returns the length, or -1. */
static int format(const struct conversion *conversion, const char *name, char *text, size_t size) {
    char path[256];
    if (strchr(name, '/') != NULL)
        return -1;
    snprintf(path, sizeof path, "%s/%s.so", formats, name);
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL)
        return -1;
    format_conversion_fn *function;
    *(void **)&function = dlsym(library, "format_conversion");
    int length = function != NULL ? function(conversion, text, size) : -1;
    dlclose(library);
    return length;
}

static void answer(int client, int status, const char *type, const char *body, size_t length) {
    const char *reason = status == 200 ? "OK" : status == 404 ? "Not Found" : "Bad Request";
    char text[8704];
    int head = snprintf(text, sizeof text,
                        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        status, reason, type, length);
    memcpy(text + head, body, length);
    for (size_t sent = 0, all = (size_t)head + length; sent < all;) {
        ssize_t count = write(client, text + sent, all - sent);
        if (count <= 0)
            return;
        sent += (size_t)count;
    }
}

static void answer_conversion(int client, char *path) {
    char *save = NULL, text[1024];
    const char *value = strtok_r(path, "/", &save), *from = strtok_r(NULL, "/", &save);
    const char *to = strtok_r(NULL, "/", &save), *name = strtok_r(NULL, "/", &save);
    struct conversion conversion = {.value = value != NULL ? atof(value) : 0, .from = from, .to = to};
    int length = -1;
    if (name != NULL && convert_units(&conversion) == 0)
        length = format(&conversion, name, text, sizeof text);
    if (length < 0)
        answer(client, 400, "text/plain", "cannot convert that\n", 20);
    else
        answer(client, 200, strcmp(name, "json") == 0 ? "application/json" : "text/plain", text, (size_t)length);
}

/* The path is an area and a place, such as Europe/Paris, and seconds since 1970. */
static void answer_time(int client, char *path) {
    char *seconds = strrchr(path, '/'), text[128];
    if (seconds == NULL || strstr(path, "..") != NULL) {
        answer(client, 400, "text/plain", "no such time\n", 13);
        return;
    }
    *seconds++ = '\0';
    setenv("TZ", path, 1);
    tzset();
    time_t at = (time_t)atoll(seconds);
    struct tm parts;
    localtime_r(&at, &parts);
    size_t length = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z\n", &parts);
    answer(client, 200, "text/plain", text, length);
}

static void answer_file(int client, int status, const char *name, const char *type) {
    char body[8192], path[256];
    snprintf(path, sizeof path, "/app/site/%s", name);
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(body, 1, sizeof body, file) : 0;
    if (file != NULL)
        fclose(file);
    answer(client, file != NULL ? status : 404, type, body, length);
}

/* Any other page, style sheet or text of the site. */
static void answer_site(int client, const char *name) {
    const char *ending = strrchr(name, '.');
    char path[1100];
    snprintf(path, sizeof path, "/app/site/%s", name);
    if (strlen(name) > 200 || ending == NULL || strstr(name, "..") != NULL || access(path, R_OK) != 0)
        answer_file(client, 404, "404.html", "text/html");
    else if (strcmp(ending, ".css") == 0)
        answer_file(client, 200, name, "text/css");
    else
        answer_file(client, 200, name, strcmp(ending, ".html") == 0 ? "text/html" : "text/plain");
}

static void serve_one(int client) {
    char request[4096], path[1024];
    ssize_t count = read(client, request, sizeof request - 1);
    if (count <= 0)
        return;
    request[count] = '\0';
    if (sscanf(request, "GET %1023s", path) != 1) {
        answer(client, 400, "text/plain", "use GET\n", 8);
        return;
    }
    printf("GET %s\n", path);
    if (strncmp(path, "/convert/", 9) == 0)
        answer_conversion(client, path + 9);
    else if (strncmp(path, "/time/", 6) == 0)
        answer_time(client, path + 6);
    else if (strcmp(path, "/") == 0)
        answer_file(client, 200, "index.html", "text/html");
    else
        answer_site(client, path + 1);
}

static int serve(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sigaction action = {.sa_handler = on_signal};
    struct timeval limit = {.tv_sec = 5};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0) {
        perror("listen");
        return 1;
    }
    printf("listening on port %d\n", port);
    while (!stopping) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        serve_one(client);
        close(client);
    }
    printf("stopped\n");
    return 0;
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 3 && strcmp(arguments[1], "serve") == 0)
        return serve(atoi(arguments[2]));
    if (count != 4 && count != 5) {
        fprintf(stderr, "usage: convert-units VALUE FROM TO [FORMAT] | serve PORT\n");
        return 64;
    }
    char text[1024];
    struct conversion conversion = {.value = atof(arguments[1]), .from = arguments[2], .to = arguments[3]};
    if (convert_units(&conversion) != 0 || format(&conversion, count == 5 ? arguments[4] : "csv", text, sizeof text) < 0) {
        fprintf(stderr, "cannot convert that\n");
        return 1;
    }
    fputs(text, stdout);
    return 0;
}
