/* The limit: the least that a function can do. It reads the Runtime API from a socket
   and responds without parsing the event. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[65536];

/* Reads a response with a Content-Length, terminates it, and returns its length. */
static size_t receive(int connection) {
    size_t length = 0;
    for (;;) {
        ssize_t got = read(connection, buffer + length, sizeof buffer - 1 - length);
        if (got <= 0) exit(1);
        length += (size_t)got;
        buffer[length] = 0;
        char *end = strstr(buffer, "\r\n\r\n");
        if (!end) continue;
        char *header = strcasestr(buffer, "\r\ncontent-length:");
        size_t body = header ? strtoul(header + 17, 0, 10) : 0;
        if (length >= (size_t)(end + 4 - buffer) + body) return length;
    }
}

int main(void) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    const char *port = api ? strrchr(api, ':') : 0;
    if (!port) return 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port + 1))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address)) return 1;
    static const char next[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n";
    static const char body[] = "{\"statusCode\":200,\"headers\":{\"content-type\":\"application/json\"},"
                               "\"body\":\"{\\\"message\\\":\\\"Hello Kea\\\"}\",\"isBase64Encoded\":false}";
    for (;;) {
        if (write(connection, next, sizeof next - 1) < 0) return 1;
        receive(connection);
        char *header = strcasestr(buffer, "\r\nlambda-runtime-aws-request-id:");
        if (!header) return 1;
        char *id = header + 32, *end;
        while (*id == ' ') id++;
        end = strchr(id, '\r');
        static char request[1024];
        int length = snprintf(request, sizeof request,
                              "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\nHost: runtime\r\n"
                              "Content-Length: %zu\r\n\r\n%s", (int)(end - id), id, sizeof body - 1, body);
        if (write(connection, request, (size_t)length) < 0) return 1;
        receive(connection);
    }
}
