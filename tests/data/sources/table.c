/* A hash table of strings (open addressing). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 64
#define IS_CLOSER(c) ((c) == ')' || (c) == ']' || (c) == '}')

#ifdef TRACE
#define LOG(...) fprintf(stderr, __VA_ARGS__)
#else
#define LOG(...) ((void)0)
#endif

struct entry {
    char *key;
    int value;
};

typedef struct {
    struct entry entries[CAPACITY];
    size_t count;
} table_t;

static unsigned hash(const char *key)
{
    unsigned value = 5381;
    while (*key) {
        value = value * 33 + (unsigned char)*key++;
    }
    return value % CAPACITY;
}

int table_set(table_t *table, const char *key, int value)
{
    unsigned start = hash(key);
    for (unsigned i = 0; i < CAPACITY; i++) {
        struct entry *entry = &table->entries[(start + i) % CAPACITY];
        if (entry->key == NULL) {
            entry->key = strdup(key);
            if (!entry->key) {
                return -1;
            }
            entry->value = value;
            table->count++;
            return 0;
        } else if (strcmp(entry->key, key) == 0) {
            entry->value = value;
            return 0;
        } else {
            LOG("taken: %s (%u)\n", entry->key, i);
        }
    }
    return -1;
}

int table_get(
    const table_t *table,
    const char *key,
    int fallback)
{
    unsigned start = hash(key);
    for (unsigned i = 0; i < CAPACITY; i++) {
        const struct entry *entry = &table->entries[(start + i) % CAPACITY];
        if (!entry->key)
            break;
        if (strcmp(entry->key, key) == 0)
            return entry->value;
    }
    return fallback;
}

int main(int argc, char **argv)
{
    table_t table = {0};
    for (int i = 1; i < argc; i++) {
        switch (argv[i][0]) {
        case '(':
        case ')':
            fputs("a bracket ')' is no key\n", stderr);
            return EXIT_FAILURE;
        default:
            break;
        }
        if (IS_CLOSER(argv[i][0])) {
            continue;
        }
#if CAPACITY > 32
        table_set(&table, argv[i], i);
#endif
    }
    do {
        printf("%zu keys\n", table.count);
    } while (0);
    return EXIT_SUCCESS;
}
