/* What the files of the test device share. See device.c. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdint.h>

#include <libyang/libyang.h>
#include <nc_server.h>

/* The schema context; it does not change after the start. */
extern struct ly_ctx *schema;

/* One line on stderr, with a time stamp: the tests wait for some of these. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An rpc-error; the second holds the session that has the lock. */
struct nc_server_reply *refuse(NC_ERR tag, const char *message);
struct nc_server_reply *refuse_locked(uint32_t holder);
/* A reply with one leaf in it. */
struct nc_server_reply *answer_leaf(struct lyd_node *rpc, const char *name, const char *value);

/* datastore.c: running, and who has locked it. */
int datastore_init(const char *hostname);
void datastore_release(uint32_t session);
struct nc_server_reply *rpc_get(struct lyd_node *rpc, struct nc_session *session);
struct nc_server_reply *rpc_edit_config(struct lyd_node *rpc, struct nc_session *session);
struct nc_server_reply *rpc_lock(struct lyd_node *rpc, struct nc_session *session);
struct nc_server_reply *rpc_unlock(struct lyd_node *rpc, struct nc_session *session);

/* sessions.c: the sessions that are up, and which of them are subscribed. */
int sessions_add(struct nc_session *session);
void sessions_remove(struct nc_session *session);
void sessions_tick(unsigned sequence);
struct nc_server_reply *rpc_subscribe(struct lyd_node *rpc, struct nc_session *session);
struct nc_server_reply *rpc_kill_session(struct lyd_node *rpc, struct nc_session *session);

/* rpcs.c: the operations that need nothing of the device. */
struct nc_server_reply *rpc_sleep(struct lyd_node *rpc, struct nc_session *session);
struct nc_server_reply *rpc_blob(struct lyd_node *rpc, struct nc_session *session);
struct nc_server_reply *rpc_get_schema(struct lyd_node *rpc, struct nc_session *session);

#endif
