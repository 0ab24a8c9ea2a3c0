/*
 * The sessions that are up. The pollsession of libnetconf2 has a list too, but
 * what it returns may be freed by another thread at any moment: this one keeps
 * a session alive while it is used.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "device.h"

#define MAX_SESSIONS 256
#define SEND_TIMEOUT_MS 200

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static struct nc_session *sessions[MAX_SESSIONS];
static int subscribed[MAX_SESSIONS];

static int slot_of(const struct nc_session *session)
{
    for (int i = 0; i < MAX_SESSIONS; i++)
        if (sessions[i] == session)
            return i;
    return -1;
}

int sessions_add(struct nc_session *session)
{
    pthread_mutex_lock(&mutex);
    int i = slot_of(NULL);
    if (i >= 0) {
        sessions[i] = session;
        subscribed[i] = 0;
    }
    pthread_mutex_unlock(&mutex);
    return i < 0;
}

void sessions_remove(struct nc_session *session)
{
    pthread_mutex_lock(&mutex);
    int i = slot_of(session);
    if (i >= 0)
        sessions[i] = NULL;
    pthread_mutex_unlock(&mutex);
}

/* Sends one tick notification to every subscribed session. */
void sessions_tick(unsigned sequence)
{
    char value[16], *when = NULL;
    struct lyd_node *event = NULL;
    struct timespec now;

    snprintf(value, sizeof value, "%u", sequence);
    lyd_new_path(NULL, schema, "/test-device:tick/sequence", value, 0, &event);
    clock_gettime(CLOCK_REALTIME, &now);
    ly_time_ts2str(&now, &when);
    struct nc_server_notif *notification = nc_server_notif_new(event, when, NC_PARAMTYPE_FREE);

    pthread_mutex_lock(&mutex);
    for (int i = 0; i < MAX_SESSIONS; i++)
        if (sessions[i] && subscribed[i] && nc_session_get_status(sessions[i]) == NC_STATUS_RUNNING)
            nc_server_notif_send(sessions[i], notification, SEND_TIMEOUT_MS);
    pthread_mutex_unlock(&mutex);
    nc_server_notif_free(notification);
}

struct nc_server_reply *rpc_subscribe(struct lyd_node *rpc, struct nc_session *session)
{
    struct nc_server_reply *reply;

    (void)rpc;
    pthread_mutex_lock(&mutex);
    int i = slot_of(session);
    if (i < 0 || subscribed[i]) {
        reply = refuse(NC_ERR_IN_USE, "this session has a subscription already");
    } else {
        subscribed[i] = 1;
        nc_session_inc_notif_status(session);
        reply = nc_server_reply_ok();
    }
    pthread_mutex_unlock(&mutex);
    return reply;
}

struct nc_server_reply *rpc_kill_session(struct lyd_node *rpc, struct nc_session *session)
{
    struct nc_server_reply *reply = NULL;
    struct lyd_node *leaf = NULL;

    if (lyd_find_path(rpc, "session-id", 0, &leaf))
        return refuse(NC_ERR_OP_FAILED, "no session-id was given");
    uint32_t id = strtoul(lyd_get_value(leaf), NULL, 10);

    pthread_mutex_lock(&mutex);
    for (int i = 0; i < MAX_SESSIONS && !reply; i++) {
        struct nc_session *victim = sessions[i];
        if (!victim || victim == session || nc_session_get_id(victim) != id)
            continue;
        /* the poll loop sees the status and takes the session down */
        nc_session_set_status(victim, NC_STATUS_INVALID);
        nc_session_set_term_reason(victim, NC_SESSION_TERM_KILLED);
        nc_session_set_killed_by(victim, nc_session_get_id(session));
        reply = nc_server_reply_ok();
    }
    pthread_mutex_unlock(&mutex);
    return reply ? reply : refuse(NC_ERR_INVALID_VALUE, "there is no such other session");
}
