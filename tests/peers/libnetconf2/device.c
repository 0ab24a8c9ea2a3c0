/*
 * A NETCONF device on libnetconf2 for the tests: it calls home over SSH or
 * over TLS, and keeps on calling. It is written for 2.0.24, the version of Debian 12, and
 * the comments name the bugs of that version that it steps around.
 *
 * Ended with SIGKILL: there is nothing to tidy up.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

/*
 * nc_ps_poll hands a session to one thread at a time through a queue of six
 * places (NC_PS_QUEUE_SIZE); threads beyond that fail with "queue full".
 */
#define MAX_POLL_THREADS 6
#define POLL_MS 20
#define CALL_ATTEMPTS 3

struct ly_ctx *schema;
static struct nc_pollsession *poll_session;

static struct {
    const char *host, *modules, *hostname, *username, *password, *authorized_key, *host_key;
    const char *certificate, *key, *ca, *ca_fingerprint;
    int port, tick_ms, threads, one_channel, verbosity;
} options = {.modules = ".", .hostname = "device", .username = "admin", .threads = 1, .verbosity = 1};

static const char usage[] =
    "usage: device -c HOST:PORT -k HOST-KEY [options]\n"
    "       device -c HOST:PORT -C CERTIFICATE -K KEY -A CA -F CA-FINGERPRINT [options]\n"
    "  -u NAME  -p PASSWORD  -a AUTHORIZED-KEY.pub  who may log in over SSH\n"
    "  -A CA  -F FINGERPRINT  over TLS those may whom this CA certifies, under their\n"
    "              common name; the fingerprint is that of RFC 7407, \"04:9f:86...\"\n"
    "  -n MS       send a notification to subscribers this often\n"
    "  -j THREADS  serve this many RPCs at a time, 1 to 6 (default 1)\n"
    "  -1          do not take further channels of an SSH connection\n"
    "  -m DIR      where test-device.yang is\n"
    "  -N NAME     hostname in the configuration\n"
    "  -v 0..3     verbosity of libnetconf2\n";

void say(const char *format, ...)
{
    struct timespec now;
    char line[1024];
    va_list args;

    clock_gettime(CLOCK_REALTIME, &now);
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "%02ld.%03ld %s\n", (long)now.tv_sec % 60, now.tv_nsec / 1000000, line);
}

static void die(const char *what)
{
    fprintf(stderr, "device: %s failed\n", what);
    exit(1);
}

static void must(int result, const char *what)
{
    if (result)
        die(what);
}

struct nc_server_reply *refuse(NC_ERR tag, const char *message)
{
    struct lyd_node *error = nc_err(schema, tag, NC_ERR_TYPE_APP);

    nc_err_set_msg(error, message, "en");
    return nc_server_reply_err(error);
}

struct nc_server_reply *refuse_locked(uint32_t holder)
{
    struct lyd_node *error = nc_err(schema, NC_ERR_LOCK_DENIED, holder);

    nc_err_set_msg(error, "another session holds the lock", "en");
    return nc_server_reply_err(error);
}

struct nc_server_reply *answer_leaf(struct lyd_node *rpc, const char *name, const char *value)
{
    struct lyd_node *output = NULL;

    if (lyd_dup_single(rpc, NULL, 0, &output) || lyd_new_term(output, NULL, name, value, 1, NULL))
        return refuse(NC_ERR_OP_FAILED, "the reply could not be made");
    return nc_server_reply_data(output, NC_WD_EXPLICIT, NC_PARAMTYPE_FREE);
}

/* The modules that NETCONF itself needs come with yuma123: libnetconf2 ships none. */
static void load_schema(void)
{
    const char *features[] = {"writable-running", "xpath", NULL};

    must(ly_ctx_new("/usr/share/yuma/modules/ietf", 0, &schema), "making the schema context");
    ly_ctx_set_searchdir(schema, "/usr/share/yuma/modules/ietf-derived");
    ly_ctx_set_searchdir(schema, "/usr/share/yuma/modules/netconfcentral");
    ly_ctx_set_searchdir(schema, options.modules);
    must(!ly_ctx_load_module(schema, "ietf-netconf", NULL, features), "loading ietf-netconf");
    must(!ly_ctx_load_module(schema, "ietf-netconf-monitoring", NULL, NULL), "loading ietf-netconf-monitoring");
    must(!ly_ctx_load_module(schema, "notifications", NULL, NULL), "loading notifications");
    must(!ly_ctx_load_module(schema, "test-device", NULL, NULL), "loading test-device");
}

static void set_operations(void)
{
    static const struct {
        const char *path;
        nc_rpc_clb serve;
    } operations[] = {
        {"/ietf-netconf:get", rpc_get},
        {"/ietf-netconf:get-config", rpc_get},
        {"/ietf-netconf:edit-config", rpc_edit_config},
        {"/ietf-netconf:lock", rpc_lock},
        {"/ietf-netconf:unlock", rpc_unlock},
        {"/ietf-netconf:kill-session", rpc_kill_session},
        {"/ietf-netconf-monitoring:get-schema", rpc_get_schema},
        {"/notifications:create-subscription", rpc_subscribe},
        {"/test-device:sleep", rpc_sleep},
        {"/test-device:blob", rpc_blob},
    };

    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        struct lysc_node *node = (struct lysc_node *)lys_find_path(schema, NULL, operations[i].path, 0);
        must(!node, operations[i].path);
        nc_set_rpc_callback(node, operations[i].serve); /* a macro that assigns to node->priv */
    }
}

static int host_key(const char *name, void *data, char **path, char **pem, NC_SSH_KEY_TYPE *type)
{
    (void)data, (void)pem, (void)type;
    *path = strdup(name);
    return 0;
}

static int check_password(const struct nc_session *session, const char *password, void *data)
{
    int right = options.password && !strcmp(nc_session_get_username(session), options.username) &&
                !strcmp(password, options.password);

    (void)data;
    say("password login of %s: %s", nc_session_get_username(session), right ? "accepted" : "refused");
    return !right;
}

/* nc_ps_add_session waits in the same queue of six as the poll threads do: one at a time. */
static int add_session(struct nc_session *session)
{
    static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

    if (sessions_add(session))
        return 1;
    say("session %u of %s is up", nc_session_get_id(session), nc_session_get_username(session));
    pthread_mutex_lock(&adding);
    int result = nc_ps_add_session(poll_session, session);
    pthread_mutex_unlock(&adding);
    return result;
}

static int on_call(const char *client, struct nc_session *session)
{
    (void)client;
    return add_session(session);
}

static int own_certificate(const char *name, void *data, char **path, char **pem, char **key_path, char **key_pem,
                           NC_SSH_KEY_TYPE *type)
{
    (void)name, (void)data, (void)pem, (void)key_pem, (void)type;
    *path = strdup(options.certificate);
    *key_path = strdup(options.key);
    return 0;
}

static int trusted_certificates(const char *name, void *data, char ***paths, int *path_count, char ***pems, int *pem_count)
{
    (void)name, (void)data, (void)pems;
    *paths = malloc(sizeof **paths);
    **paths = strdup(options.ca);
    *path_count = 1;
    *pem_count = 0;
    return 0;
}

static const char client[] = "gateway", endpoint[] = "endpoint";

static void use_ssh(void)
{
    must(nc_server_ch_client_add_endpt(client, endpoint, NC_TI_LIBSSH), "adding the endpoint");
    must(nc_server_ssh_ch_client_endpt_add_hostkey(client, endpoint, options.host_key, -1), "setting the host key");
    must(nc_server_ssh_ch_client_endpt_set_auth_methods(client, endpoint, NC_SSH_AUTH_PUBLICKEY | NC_SSH_AUTH_PASSWORD),
         "setting the login methods");
}

/* The names are for the callbacks above, which need none. */
static void use_tls(void)
{
    must(nc_server_ch_client_add_endpt(client, endpoint, NC_TI_OPENSSL), "adding the endpoint");
    must(nc_server_tls_ch_client_endpt_set_server_cert(client, endpoint, "own"), "setting the certificate");
    must(nc_server_tls_ch_client_endpt_add_trusted_cert_list(client, endpoint, "trusted"), "setting the CA");
    must(nc_server_tls_ch_client_endpt_add_ctn(client, endpoint, 1, options.ca_fingerprint, NC_TLS_CTN_COMMON_NAME, NULL),
         "mapping certificates to names");
}

static void call_home(void)
{
    must(nc_server_ch_add_client(client), "adding the client");
    if (options.certificate)
        use_tls();
    else
        use_ssh();
    must(nc_server_ch_client_endpt_set_address(client, endpoint, options.host), "setting the address");
    must(nc_server_ch_client_endpt_set_port(client, endpoint, options.port), "setting the port");
    must(nc_server_ch_client_set_conn_type(client, NC_CH_PERSIST), "making it persistent");
    must(nc_server_ch_client_set_start_with(client, NC_CH_FIRST_LISTED), "setting the start");
    must(nc_server_ch_client_set_max_attempts(client, CALL_ATTEMPTS), "setting the attempts");
    /* only now: the calling thread holds a lock that every setter above takes */
    must(nc_connect_ch_client_dispatch(client, on_call), "starting to call");
}

/* The peer may have opened several channels since the last poll: takes all of them. */
static void accept_channels(void)
{
    struct nc_session *session = NULL;

    while (nc_ps_accept_ssh_channel(poll_session, &session) == NC_MSG_HELLO)
        if (add_session(session))
            nc_session_free(session, NULL);
}

static void drop_session(struct nc_session *session)
{
    uint32_t id = nc_session_get_id(session);

    say("session %u is down, reason %d", id, nc_session_get_term_reason(session));
    sessions_remove(session);
    datastore_release(id);
    nc_ps_del_session(poll_session, session);
    nc_session_free(session, NULL);
}

static void *serve(void *unused)
{
    struct nc_session *session;
    const struct timespec pause = {0, POLL_MS * 1000000L};

    (void)unused;
    for (;;) {
        int event = nc_ps_poll(poll_session, POLL_MS, &session);
        if (event & NC_PSPOLL_NOSESSIONS)
            nanosleep(&pause, NULL);
        if (event & NC_PSPOLL_SSH_CHANNEL && !options.one_channel)
            accept_channels();
        if (event & NC_PSPOLL_SESSION_TERM)
            drop_session(session);
    }
    return NULL;
}

static void *tick(void *unused)
{
    const struct timespec pause = {options.tick_ms / 1000, options.tick_ms % 1000 * 1000000L};

    (void)unused;
    for (unsigned sequence = 1;; sequence++) {
        nanosleep(&pause, NULL);
        sessions_tick(sequence);
    }
    return NULL;
}

static void start(void *(*run)(void *))
{
    pthread_t thread;

    must(pthread_create(&thread, NULL, run, NULL), "starting a thread");
}

static int parse_target(char *target)
{
    char *colon = strrchr(target, ':');

    if (!colon)
        return 1;
    *colon = '\0';
    options.host = target;
    options.port = atoi(colon + 1);
    return options.port <= 0;
}

static int parse_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "c:k:C:K:A:F:u:p:a:n:j:1m:N:v:")) != -1)
        switch (option) {
        case 'c': if (parse_target(optarg)) return 1; break;
        case 'k': options.host_key = optarg; break;
        case 'C': options.certificate = optarg; break;
        case 'K': options.key = optarg; break;
        case 'A': options.ca = optarg; break;
        case 'F': options.ca_fingerprint = optarg; break;
        case 'u': options.username = optarg; break;
        case 'p': options.password = optarg; break;
        case 'a': options.authorized_key = optarg; break;
        case 'n': options.tick_ms = atoi(optarg); break;
        case 'j': options.threads = atoi(optarg); break;
        case '1': options.one_channel = 1; break;
        case 'm': options.modules = optarg; break;
        case 'N': options.hostname = optarg; break;
        case 'v': options.verbosity = atoi(optarg); break;
        default: return 1;
        }
    int tls = options.certificate && options.key && options.ca && options.ca_fingerprint;
    return !options.host || (!options.host_key && !tls) || options.threads < 1 || options.threads > MAX_POLL_THREADS;
}

int main(int argc, char **argv)
{
    if (parse_options(argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    nc_verbosity(options.verbosity);
    load_schema();
    set_operations();
    must(datastore_init(options.hostname), "filling the datastore");
    must(nc_server_init(schema), "starting the server");
    nc_server_set_capability("urn:ietf:params:netconf:capability:notification:1.0");
    nc_server_set_capability("urn:ietf:params:netconf:capability:interleave:1.0");
    nc_server_ssh_set_hostkey_clb(host_key, NULL, NULL);
    nc_server_ssh_set_passwd_auth_clb(check_password, NULL, NULL);
    nc_server_tls_set_server_cert_clb(own_certificate, NULL, NULL);
    nc_server_tls_set_trusted_cert_list_clb(trusted_certificates, NULL, NULL);
    if (options.authorized_key)
        must(nc_server_ssh_add_authkey_path(options.authorized_key, options.username), "reading the authorized key");
    poll_session = nc_ps_new();
    call_home();
    say("calling %s port %d", options.host, options.port);
    if (options.tick_ms)
        start(tick);
    for (int i = 1; i < options.threads; i++)
        start(serve);
    serve(NULL);
}
