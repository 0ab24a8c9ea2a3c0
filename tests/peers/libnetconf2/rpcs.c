/* Operations that need nothing of the device: slow ones, large ones, schemas. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device.h"

static unsigned long leaf_number(struct lyd_node *rpc, const char *name)
{
    struct lyd_node *leaf = NULL;

    return lyd_find_path(rpc, name, 0, &leaf) ? 0 : strtoul(lyd_get_value(leaf), NULL, 10);
}

struct nc_server_reply *rpc_sleep(struct lyd_node *rpc, struct nc_session *session)
{
    unsigned long ms = leaf_number(rpc, "milliseconds");
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    char value[24];

    say("session %u sleeps %lu ms", nc_session_get_id(session), ms);
    nanosleep(&pause, NULL);
    snprintf(value, sizeof value, "%lu", ms);
    return answer_leaf(rpc, "slept", value);
}

struct nc_server_reply *rpc_blob(struct lyd_node *rpc, struct nc_session *session)
{
    unsigned long size = leaf_number(rpc, "size");
    char *text = malloc(size + 1);

    (void)session;
    if (!text)
        return refuse(NC_ERR_RES_DENIED, "not enough memory for the blob");
    memset(text, 'x', size);
    text[size] = '\0';
    struct nc_server_reply *reply = answer_leaf(rpc, "data", text);
    free(text);
    return reply;
}

/*
 * The get-schema that libnetconf2 2.0.24 brings along frees its reply twice
 * with Debian's libyang 2.1.30 and takes the process down, so the device has
 * one of its own.
 */
struct nc_server_reply *rpc_get_schema(struct lyd_node *rpc, struct nc_session *session)
{
    struct lyd_node *leaf = NULL, *output = NULL;
    const struct lys_module *module;
    char *text = NULL;

    (void)session;
    if (lyd_find_path(rpc, "identifier", 0, &leaf))
        return refuse(NC_ERR_OP_FAILED, "no identifier was given");
    const char *name = lyd_get_value(leaf);
    if (!lyd_find_path(rpc, "version", 0, &leaf) && *lyd_get_value(leaf))
        module = ly_ctx_get_module(schema, name, lyd_get_value(leaf));
    else
        module = ly_ctx_get_module_latest(schema, name);
    if (!module || lys_print_mem(&text, module, LYS_OUT_YANG, 0) || !text)
        return refuse(NC_ERR_INVALID_VALUE, "there is no such schema");
    lyd_dup_single(rpc, NULL, 0, &output);
    lyd_new_any(output, NULL, "data", text, 1, LYD_ANYDATA_STRING, 1, NULL);
    return nc_server_reply_data(output, NC_WD_EXPLICIT, NC_PARAMTYPE_FREE);
}
