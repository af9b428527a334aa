/* A small HTTP server in one static binary: pages with placeholders, files, a listing, and an echo. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MAX_REQUEST 65536
#define MAX_FILE 1048576
#define MAX_ENTRIES 100

struct request {
    char method[8];
    char path[1024];
    char query[1024];
    const char *body;
    size_t body_length;
};

static volatile sig_atomic_t stopping;
static const char *root;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

static void write_all(int socket, const char *data, size_t length) {
    while (length > 0) {
        ssize_t sent = write(socket, data, length);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        data += sent;
        length -= (size_t)sent;
    }
}

static void answer(int socket, int status, const char *reason, const char *type, const char *body, size_t length) {
    char head[512];
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        status, reason, type, length);
    write_all(socket, head, (size_t)size);
    write_all(socket, body, length);
}

static void answer_text(int socket, int status, const char *reason, const char *type, const char *format, ...) {
    char body[4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(body, sizeof body, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof body)
        length = (int)sizeof body - 1;
    answer(socket, status, reason, type, body, (size_t)length);
}

/* The contents of a regular file below the root, to be freed by the caller; NULL if it cannot be had. */
static char *read_file(const char *name, size_t *length) {
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", root, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    struct stat facts;
    char *data = NULL;
    if (fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size <= MAX_FILE)
        data = malloc((size_t)facts.st_size + 1);
    if (data != NULL) {
        ssize_t count = 0;
        *length = 0;
        while (*length < (size_t)facts.st_size
               && (count = read(file, data + *length, (size_t)facts.st_size - *length)) > 0)
            *length += (size_t)count;
        data[*length] = '\0';
    }
    close(file);
    return data;
}

static const char *type_of(const char *name) {
    static const struct {
        const char *ending, *type;
    } types[] = {{".html", "text/html; charset=utf-8"}, {".css", "text/css"},
                 {".svg", "image/svg+xml"},             {".json", "application/json"},
                 {".txt", "text/plain; charset=utf-8"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++)
        if (strcmp(dot, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static void not_found(int socket) {
    size_t length;
    char *page = read_file("404.html", &length);
    if (page == NULL) {
        answer_text(socket, 404, "Not Found", "text/plain", "not found\n");
        return;
    }
    answer(socket, 404, "Not Found", "text/html; charset=utf-8", page, length);
    free(page);
}

static void serve_file(int socket, const char *name) {
    size_t length;
    char *data = strstr(name, "..") == NULL ? read_file(name, &length) : NULL;
    if (data == NULL) {
        not_found(socket);
        return;
    }
    answer(socket, 200, "OK", type_of(name), data, length);
    free(data);
}

/* hello.html, or that of the language asked for (two letters), with each @NAME@ replaced by the query's name;
 * only letters are let through. */
static void serve_greeting(int socket, const struct request *request) {
    char who[64] = "world";
    if (strncmp(request->query, "name=", 5) == 0) {
        size_t used = 0;
        for (const char *c = request->query + 5; *c != '\0' && *c != '&' && used < sizeof who - 1; c++)
            if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'))
                who[used++] = *c;
        who[used] = '\0';
    }
    char template[64] = "templates/hello.html";
    const char *language = strstr(request->query, "&lang=");
    if (language != NULL && strlen(language + 6) == 2 && strpbrk(language + 6, "./") == NULL)
        snprintf(template, sizeof template, "templates/hello.%s.html", language + 6);
    size_t length;
    char *page = read_file(template, &length);
    if (page == NULL) {
        answer_text(socket, 500, "Internal Server Error", "text/plain", "the template is missing\n");
        return;
    }
    char body[4096] = "";
    size_t used = 0;
    for (const char *c = page; *c != '\0' && used < sizeof body - sizeof who;) {
        if (strncmp(c, "@NAME@", 6) == 0) {
            used += (size_t)sprintf(body + used, "%s", who);
            c += 6;
        } else {
            body[used++] = *c++;
        }
    }
    answer(socket, 200, "OK", "text/html; charset=utf-8", body, used);
    free(page);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void serve_listing(int socket) {
    char path[1024], body[4096] = "[";
    struct dirent **entries;
    snprintf(path, sizeof path, "%s/files", root);
    int count = scandir(path, &entries, visible, alphasort);
    if (count < 0) {
        answer_text(socket, 500, "Internal Server Error", "text/plain", "the listing failed\n");
        return;
    }
    size_t used = 1;
    for (int i = 0; i < count; i++) {
        if (i < MAX_ENTRIES && used < sizeof body - 300)
            used += (size_t)sprintf(body + used, "%s\"%s\"", i == 0 ? "" : ", ", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    answer_text(socket, 200, "OK", "application/json", "%s]\n", body);
}

/* Seconds since 1970 as a date in UTC. */
static void serve_date(int socket, const struct request *request) {
    time_t at = strncmp(request->query, "at=", 3) == 0 ? (time_t)atoll(request->query + 3) : 0;
    struct tm parts;
    char text[64];
    if (gmtime_r(&at, &parts) == NULL || strftime(text, sizeof text, "%A %Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        answer_text(socket, 400, "Bad Request", "application/json", "{\"error\": \"no such date\"}\n");
    else
        answer_text(socket, 200, "OK", "application/json", "{\"date\": \"%s\"}\n", text);
}

static void dispatch(int socket, const struct request *request) {
    int get = strcmp(request->method, "GET") == 0;
    if (strcmp(request->path, "/echo") == 0) {
        if (strcmp(request->method, "POST") == 0)
            answer(socket, 200, "OK", "text/plain", request->body, request->body_length);
        else
            answer_text(socket, 405, "Method Not Allowed", "text/plain", "use POST\n");
    } else if (!get) {
        answer_text(socket, 405, "Method Not Allowed", "text/plain", "use GET\n");
    } else if (strcmp(request->path, "/") == 0) {
        serve_file(socket, "index.html");
    } else if (strcmp(request->path, "/healthz") == 0) {
        answer_text(socket, 200, "OK", "application/json", "{\"status\": \"ok\"}\n");
    } else if (strcmp(request->path, "/hello") == 0) {
        serve_greeting(socket, request);
    } else if (strcmp(request->path, "/files/") == 0) {
        serve_listing(socket);
    } else if (strcmp(request->path, "/date") == 0) {
        serve_date(socket, request);
    } else if (strcmp(request->path, "/whoami") == 0) {
        answer_text(socket, 200, "OK", "application/json", "{\"uid\": %d, \"gid\": %d}\n", (int)getuid(), (int)getgid());
    } else {
        serve_file(socket, request->path + 1);
    }
}

/* Reads one request; returns its length, or 0 if it is broken or too large. `buffer` holds MAX_REQUEST + 1 bytes. */
static size_t receive(int socket, char *buffer, struct request *request) {
    size_t used = 0, wanted = 0;
    while (used < MAX_REQUEST) {
        ssize_t count = read(socket, buffer + used, MAX_REQUEST - used);
        if (count <= 0)
            return 0;
        used += (size_t)count;
        buffer[used] = '\0';
        char *end = strstr(buffer, "\r\n\r\n");
        if (end == NULL)
            continue;
        if (wanted == 0) {
            size_t head = (size_t)(end - buffer) + 4;
            const char *length = strcasestr(buffer, "\r\ncontent-length:");
            size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
            if (body > MAX_REQUEST - head)
                return 0;
            wanted = head + body;
            request->body = buffer + head;
            request->body_length = body;
        }
        if (used >= wanted)
            break;
    }
    if (wanted == 0 || used < wanted || sscanf(buffer, "%7s %1023s", request->method, request->path) != 2)
        return 0;
    char *question = strchr(request->path, '?');
    request->query[0] = '\0';
    if (question != NULL) {
        strcpy(request->query, question + 1);
        *question = '\0';
    }
    return wanted;
}

static void serve(int socket) {
    static char buffer[MAX_REQUEST + 1];
    struct request request = {0};
    struct timeval limit = {.tv_sec = 5};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (receive(socket, buffer, &request) == 0) {
        answer_text(socket, 400, "Bad Request", "text/plain", "bad request\n");
        return;
    }
    printf("%s %s\n", request.method, request.path);
    dispatch(socket, &request);
}

static int listen_on(int port) {
    int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (socket_ < 0 || bind(socket_, (struct sockaddr *)&address, sizeof address) != 0 || listen(socket_, 64) != 0) {
        perror("listen");
        exit(1);
    }
    return socket_;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: server PORT DIRECTORY\n");
        return 2;
    }
    root = arguments[2];
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    /* Without SA_RESTART, so that accept() returns when the server is to stop. */
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int listener = listen_on(atoi(arguments[1]));
    printf("listening on port %s\n", arguments[1]);
    while (!stopping) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        serve(client);
        close(client);
    }
    close(listener);
    printf("stopped\n");
    return 0;
}
