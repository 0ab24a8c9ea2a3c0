/*
 * libyang, which reads the documents of libnetconf2 and netopeer2, as a parser
 * for a test. It speaks as parsers.py does, with two answers to each document:
 * what it has seen of it as XML, and which rpc it has found in it.
 *
 * Argument: the directory of the YANG modules.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libyang/libyang.h>

#define DEEPEST 4
#define BASE "urn:ietf:params:xml:ns:netconf:base:1.0"

/* What one reading has seen. */
struct sight {
    char *text;
    size_t length;
    FILE *to;
};

static void open_sight(struct sight *s)
{
    s->to = open_memstream(&s->text, &s->length);
    if (!s->to)
        abort();
}

static void answer(struct sight *s, int refused)
{
    fclose(s->to);
    uint32_t length = refused ? 0 : s->length, header = htonl(length);

    fwrite(&header, sizeof header, 1, stdout);
    fwrite(s->text, 1, length, stdout);
    free(s->text);
}

static void element(struct sight *s, int depth, const char *space, const char *name, const char *text)
{
    fprintf(s->to, "\x01%d\x02%s\x02%s", depth, space ? space : "", name);
    if (text && *text)
        fprintf(s->to, "\x03%s", text);
}

/* visit tells of a node, its siblings, and what is in them. */
static void visit(struct sight *s, int depth, const struct lyd_node *node)
{
    for (; node && depth <= DEEPEST; node = node->next) {
        const char *space, *text = NULL;

        if (!node->schema) {
            space = ((const struct lyd_node_opaq *)node)->name.module_ns;
            text = ((const struct lyd_node_opaq *)node)->value;
        } else {
            space = node->schema->module->ns;
            if (node->schema->nodetype & LYD_NODE_TERM)
                text = lyd_get_value(node);
        }
        element(s, depth, space, LYD_NAME(node), text);
        visit(s, depth + 1, lyd_child(node));
    }
}

static void as_xml(const struct ly_ctx *context, const char *document)
{
    struct lyd_node *tree = NULL;
    struct sight s;

    open_sight(&s);
    LY_ERR failed = lyd_parse_data_mem(context, document, LYD_XML, LYD_PARSE_ONLY | LYD_PARSE_OPAQ, 0, &tree);
    visit(&s, 1, tree);
    answer(&s, failed != LY_SUCCESS);
    lyd_free_all(tree);
}

/* as_rpc does what nc_server does with a message. */
static void as_rpc(const struct ly_ctx *context, const char *document)
{
    struct lyd_node *envelope = NULL, *operation = NULL;
    struct ly_in *in = NULL;
    struct sight s;

    open_sight(&s);
    if (ly_in_new_memory(document, &in) != LY_SUCCESS)
        abort();
    LY_ERR failed = lyd_parse_op(context, NULL, in, LYD_XML, LYD_TYPE_RPC_NETCONF, &envelope, &operation);
    element(&s, 1, BASE, "rpc", NULL);
    visit(&s, 2, operation);
    answer(&s, failed != LY_SUCCESS || !operation);
    ly_in_free(in, 0);
    lyd_free_all(envelope);
    lyd_free_all(operation);
}

/* serve answers a document; it returns 0 when there are no more. */
static int serve(const struct ly_ctx *plain, const struct ly_ctx *netconf)
{
    uint32_t header;

    if (fread(&header, sizeof header, 1, stdin) != 1)
        return 0;
    size_t length = ntohl(header);
    char *document = calloc(1, length + 1);
    if (!document || fread(document, 1, length, stdin) != length)
        abort();
    as_xml(plain, document);
    as_rpc(netconf, document);
    free(document);
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    static const char *modules[] = {"ietf-netconf", "ietf-netconf-monitoring", "ietf-netconf-nmda", "ietf-netconf-partial-lock", NULL};
    static const char *features[] = {"*", NULL};
    struct ly_ctx *plain, *netconf;

    ly_log_options(0);
    if (argc != 2 || ly_ctx_new(NULL, LY_CTX_NO_YANGLIBRARY, &plain) || ly_ctx_new(argv[1], 0, &netconf))
        return 2;
    for (const char **module = modules; *module; module++)
        if (!ly_ctx_load_module(netconf, *module, NULL, features)) {
            fprintf(stderr, "no module %s in %s\n", *module, argv[1]);
            return 2;
        }
    while (serve(plain, netconf))
        ;
    return 0;
}
