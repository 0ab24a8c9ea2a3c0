/*
 * A NETCONF manager on libnetconf2 for the tests, over SSH or TLS. It connects,
 * and then does what each line of its input says, with one line of answer:
 * "ok" or "error", and what there is to tell.
 *
 * Written for 2.0.24, the version of Debian 12.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libssh/libssh.h>
#include <libyang/libyang.h>
#include <nc_client.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 30000

static struct nc_session *session;

static struct {
    const char *address, *schemas, *username, *key, *certificate, *certificate_key, *ca;
} options = {.username = ""};

static const char usage[] =
    "usage: manager [options] ssh|tls NAME PORT\n"
    "  -r ADDRESS  what the name resolves to\n"
    "  -s DIR      where schemas are, and are kept\n"
    "  -u USER  -k PRIVATE-KEY  over SSH; without a key the password is in MANAGER_PASSWORD\n"
    "  -C CERTIFICATE  -K KEY  -A CA  over TLS\n";

/*
 * Over TLS the library accepts only DNS names of certificates, and resolves
 * them itself: this stands in for the DNS, before the C library's.
 */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");

    return real(node && options.address ? options.address : node, service, hints, found);
}

static void tell(const char *word, const char *text)
{
    printf("%s ", word);
    for (; *text; text++)
        putchar(*text == '\n' ? ' ' : *text);
    putchar('\n');
    fflush(stdout);
}

static void tell_tree(const char *word, const struct lyd_node *tree)
{
    char *text = NULL;

    if (tree)
        lyd_print_mem(&text, tree, LYD_XML, LYD_PRINT_SHRINK | LYD_PRINT_WITHSIBLINGS);
    tell(word, text ? text : "");
    free(text);
}

/* The last error of the library is part of what a failed test shows. */
static void log_line(const struct nc_session *from, NC_VERB_LEVEL level, const char *message)
{
    (void)from, (void)level;
    fprintf(stderr, "%s\n", message);
}

static int is_error(const struct lyd_node *envelope)
{
    const struct lyd_node *child = envelope ? lyd_child(envelope) : NULL;

    /* the envelope of a reply is opaque: it belongs to no schema */
    return child && !child->schema && !strcmp(((const struct lyd_node_opaq *)child)->name.name, "rpc-error");
}

/* Notifications that come before the reply are put aside by the library. */
static void request(struct nc_rpc *rpc)
{
    struct lyd_node *envelope = NULL, *reply = NULL;
    NC_MSG_TYPE type;
    uint64_t id;

    if (!rpc || nc_send_rpc(session, rpc, TIMEOUT_MS, &id) != NC_MSG_RPC) {
        tell("error", "the request was not sent");
    } else {
        do
            type = nc_recv_reply(session, rpc, id, TIMEOUT_MS, &envelope, &reply);
        while (type == NC_MSG_NOTIF);
        if (type != NC_MSG_REPLY)
            tell("error", "there was no reply");
        else
            tell_tree(is_error(envelope) ? "error" : "ok", reply ? reply : envelope);
    }
    lyd_free_all(reply);
    lyd_free_all(envelope);
    nc_rpc_free(rpc);
}

static void notification(void)
{
    struct lyd_node *envelope = NULL, *event = NULL;

    if (nc_recv_notif(session, TIMEOUT_MS, &envelope, &event) == NC_MSG_NOTIF)
        tell_tree("ok", envelope);
    else
        tell("error", "there was no notification");
    lyd_free_all(event);
    lyd_free_all(envelope);
}

static NC_DATASTORE datastore(const char *name)
{
    if (!strcmp(name, "candidate"))
        return NC_DATASTORE_CANDIDATE;
    return strcmp(name, "startup") ? NC_DATASTORE_RUNNING : NC_DATASTORE_STARTUP;
}

/* A line is a verb, a word, and the rest. */
static void obey(char *line)
{
    char *rest = line, *verb, *word;

    rest[strcspn(rest, "\n")] = '\0';
    verb = strsep(&rest, " ");
    word = rest ? strsep(&rest, " ") : "";
    if (!strcmp(verb, "get-config"))
        request(nc_rpc_getconfig(datastore(word), NULL, 0, 0));
    else if (!strcmp(verb, "lock"))
        request(nc_rpc_lock(datastore(word)));
    else if (!strcmp(verb, "unlock"))
        request(nc_rpc_unlock(datastore(word)));
    else if (!strcmp(verb, "edit-config"))
        request(nc_rpc_edit(datastore(word), 0, 0, 0, rest, 0));
    else if (!strcmp(verb, "commit"))
        request(nc_rpc_commit(0, 0, NULL, NULL, 0));
    else if (!strcmp(verb, "kill-session"))
        request(nc_rpc_kill(strtoul(word, NULL, 10)));
    else if (!strcmp(verb, "subscribe"))
        request(nc_rpc_subscribe(NULL, NULL, NULL, NULL, 0));
    else if (!strcmp(verb, "notification"))
        notification();
    else
        tell("error", "there is no such command");
}

static int accept_any_host(const char *hostname, ssh_session ssh, void *data)
{
    (void)hostname, (void)ssh, (void)data;
    return 0;
}

static char *password(const char *username, const char *hostname, void *data)
{
    const char *secret = getenv("MANAGER_PASSWORD");

    (void)username, (void)hostname, (void)data;
    return strdup(secret ? secret : "");
}

static struct nc_session *connect_ssh(const char *name, int port)
{
    char public_key[4096];

    nc_client_ssh_set_auth_hostkey_check_clb(accept_any_host, NULL);
    nc_client_ssh_set_auth_password_clb(password, NULL);
    nc_client_ssh_set_username(options.username);
    nc_client_ssh_set_auth_pref(NC_SSH_AUTH_PUBLICKEY, options.key ? 10 : -1);
    if (options.key) {
        snprintf(public_key, sizeof public_key, "%s.pub", options.key);
        nc_client_ssh_add_keypair(public_key, options.key);
    }
    return nc_connect_ssh(name, port, NULL);
}

static struct nc_session *connect_tls(const char *name, int port)
{
    nc_client_tls_set_cert_key_paths(options.certificate, options.certificate_key);
    nc_client_tls_set_trusted_ca_paths(options.ca, NULL);
    return nc_connect_tls(name, port, NULL);
}

static int parse_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "r:s:u:k:C:K:A:")) != -1)
        switch (option) {
        case 'r': options.address = optarg; break;
        case 's': options.schemas = optarg; break;
        case 'u': options.username = optarg; break;
        case 'k': options.key = optarg; break;
        case 'C': options.certificate = optarg; break;
        case 'K': options.certificate_key = optarg; break;
        case 'A': options.ca = optarg; break;
        default: return 1;
        }
    return argc - optind != 3;
}

int main(int argc, char **argv)
{
    char *line = NULL, id[16];
    size_t capacity = 0;

    if (parse_options(argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    const char *transport = argv[optind], *name = argv[optind + 1];
    int port = atoi(argv[optind + 2]);

    nc_client_init();
    nc_set_print_clb_session(log_line);
    nc_verbosity(NC_VERB_WARNING);
    nc_client_set_schema_searchpath(options.schemas);
    session = strcmp(transport, "tls") ? connect_ssh(name, port) : connect_tls(name, port);
    if (!session) {
        tell("error", "the session was not opened");
        return 1;
    }
    snprintf(id, sizeof id, "%u", nc_session_get_id(session));
    tell("ok", id);
    while (getline(&line, &capacity, stdin) > 0 && strncmp(line, "close", 5))
        obey(line);
    nc_session_free(session, NULL); /* it says close-session and waits for the reply */
    tell("ok", "<ok/>");
    return 0;
}
