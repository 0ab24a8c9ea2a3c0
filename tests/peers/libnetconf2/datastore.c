/* The running datastore of the device, and its lock. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static struct lyd_node *running;
static uint32_t lock_holder; /* a session-id, or 0 */

int datastore_init(const char *hostname)
{
    return lyd_new_path(NULL, schema, "/test-device:system/hostname", hostname, 0, &running) != LY_SUCCESS;
}

/* A session that is gone holds no lock (RFC 6241 section 7.5). */
void datastore_release(uint32_t session)
{
    pthread_mutex_lock(&mutex);
    if (lock_holder == session)
        lock_holder = 0;
    pthread_mutex_unlock(&mutex);
}

static int is_selected(const struct lyd_node *node, const struct lyd_node *filter)
{
    const struct lyd_node *wanted;

    LY_LIST_FOR(filter, wanted) {
        const char *name = wanted->schema ? wanted->schema->name
                                          : ((const struct lyd_node_opaq *)wanted)->name.name;
        if (!strcmp(name, node->schema->name))
            return 1;
    }
    return 0;
}

/* Drops the top-level nodes that a subtree filter does not name. It looks no deeper: the tests do not either. */
static struct lyd_node *apply_filter(struct lyd_node *data, struct lyd_node *rpc)
{
    struct lyd_node *node, *next, *filter = NULL, *subtree = NULL;

    if (lyd_find_path(rpc, "filter", 0, &filter))
        return data;
    struct lyd_node_any *any = (struct lyd_node_any *)filter;
    if (any->value_type == LYD_ANYDATA_DATATREE)
        subtree = any->value.tree;
    LY_LIST_FOR_SAFE(data, next, node) {
        if (is_selected(node, subtree))
            continue;
        if (node == data)
            data = next;
        lyd_free_tree(node);
    }
    return data;
}

/* Both get and get-config: the device has no state data. */
struct nc_server_reply *rpc_get(struct lyd_node *rpc, struct nc_session *session)
{
    struct lyd_node *data = NULL, *output = NULL;

    (void)session;
    pthread_mutex_lock(&mutex);
    lyd_dup_siblings(running, NULL, LYD_DUP_RECURSIVE, &data);
    pthread_mutex_unlock(&mutex);
    data = apply_filter(data, rpc);
    if (lyd_dup_single(rpc, NULL, 0, &output)) {
        lyd_free_all(data);
        return refuse(NC_ERR_OP_FAILED, "the reply could not be made");
    }
    lyd_new_any(output, NULL, "data", data, 1, LYD_ANYDATA_DATATREE, 1, NULL);
    return nc_server_reply_data(output, NC_WD_EXPLICIT, NC_PARAMTYPE_FREE);
}

static const char *operation_of(struct lyd_node *node)
{
    struct lyd_meta *meta = lyd_find_meta(node->meta, NULL, "ietf-netconf:operation");

    return meta ? lyd_get_meta_value(meta) : "merge";
}

static void strip_operation(struct lyd_node *node)
{
    struct lyd_meta *meta = lyd_find_meta(node->meta, NULL, "ietf-netconf:operation");

    if (meta)
        lyd_free_meta_single(meta);
}

/* Removes from *data what the edit says is to go; 1 when a "delete" finds nothing. */
static int remove_target(struct lyd_node **data, struct lyd_node *edit, int must_exist)
{
    struct lyd_node *target = NULL;
    char *path = lyd_path(edit, LYD_PATH_STD, NULL, 0);
    int found = *data && !lyd_find_path(*data, path, 0, &target) && target;

    free(path);
    if (!found)
        return must_exist;
    if (target == *data)
        *data = target->next;
    lyd_free_tree(target);
    return 0;
}

/* Carries out the deletions in the edit and takes them out of it, so that the rest can be merged. */
static int apply_deletions(struct lyd_node **data, struct lyd_node **edit)
{
    struct lyd_node *node, *next;

    LY_LIST_FOR_SAFE(*edit, next, node) {
        const char *operation = operation_of(node);
        int deletes = !strcmp(operation, "delete"), removes = !strcmp(operation, "remove");

        if ((deletes || removes || !strcmp(operation, "replace")) && remove_target(data, node, deletes))
            return 1;
        if (deletes || removes) {
            if (node == *edit)
                *edit = next;
            lyd_free_tree(node);
            continue;
        }
        strip_operation(node);
        if (node->schema->nodetype & LYD_NODE_INNER) {
            struct lyd_node *children = lyd_child_no_keys(node);
            if (apply_deletions(data, &children))
                return 1;
        }
    }
    return 0;
}

/* Edits a copy and takes it as the new datastore only when all of it worked. Called with the mutex held. */
static struct nc_server_reply *edit_running(const char *xml)
{
    struct lyd_node *copy = NULL, *edit = NULL;

    if (lyd_parse_data_mem(schema, xml, LYD_XML, LYD_PARSE_ONLY | LYD_PARSE_STRICT, 0, &edit))
        return refuse(NC_ERR_OP_FAILED, ly_errmsg(schema));
    lyd_dup_siblings(running, NULL, LYD_DUP_RECURSIVE, &copy);
    if (apply_deletions(&copy, &edit) || (edit && lyd_merge_siblings(&copy, edit, 0))) {
        lyd_free_all(copy);
        lyd_free_all(edit);
        return refuse(NC_ERR_DATA_MISSING, "there is nothing to delete");
    }
    lyd_free_all(edit);
    lyd_free_all(running);
    running = copy;
    return nc_server_reply_ok();
}

struct nc_server_reply *rpc_edit_config(struct lyd_node *rpc, struct nc_session *session)
{
    struct nc_server_reply *reply;
    struct lyd_node *config = NULL;
    char *xml = NULL;

    if (lyd_find_path(rpc, "config", 0, &config))
        return refuse(NC_ERR_OP_FAILED, "no config was given");
    lyd_any_value_str(config, &xml);
    pthread_mutex_lock(&mutex);
    if (lock_holder && lock_holder != nc_session_get_id(session))
        reply = refuse(NC_ERR_IN_USE, "another session has locked the datastore");
    else
        reply = edit_running(xml ? xml : "");
    pthread_mutex_unlock(&mutex);
    free(xml);
    return reply;
}

struct nc_server_reply *rpc_lock(struct lyd_node *rpc, struct nc_session *session)
{
    struct nc_server_reply *reply;

    (void)rpc;
    pthread_mutex_lock(&mutex);
    if (lock_holder) {
        reply = refuse_locked(lock_holder);
    } else {
        lock_holder = nc_session_get_id(session);
        reply = nc_server_reply_ok();
    }
    pthread_mutex_unlock(&mutex);
    return reply;
}

struct nc_server_reply *rpc_unlock(struct lyd_node *rpc, struct nc_session *session)
{
    struct nc_server_reply *reply;

    (void)rpc;
    pthread_mutex_lock(&mutex);
    if (lock_holder != nc_session_get_id(session)) {
        reply = refuse(NC_ERR_OP_FAILED, "this session does not hold the lock");
    } else {
        lock_holder = 0;
        reply = nc_server_reply_ok();
    }
    pthread_mutex_unlock(&mutex);
    return reply;
}
