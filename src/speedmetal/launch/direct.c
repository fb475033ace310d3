// Launches made again, without the interpreter: what launch/direct.py lays out, checked and done.
//
// tools/build_direct.py makes direct.ll of this, which LLVM compiles where speedmetal runs. So it
// includes nothing: what it needs of CPython it is given (struct api), all of it functions of its
// public interface. Whoever calls it holds the GIL. Each function either does a launch, exactly as
// the Python code does that it stands for, or nothing at all, and then has that called instead.

typedef long long i64;
typedef unsigned long long u64;
typedef struct object *object;

struct api {
    object none, no, yes, int_type, float_type, list_type, tuple_type;
    object (*get_attribute)(object, object);
    object (*get_item)(object, object);  // of a dictionary, borrowed
    int (*get_variable)(object, object, object *);
    int (*compare)(object, object, int);
    i64 (*tuple_size)(object);
    object (*tuple_item)(object, i64);  // borrowed
    i64 (*list_size)(object);
    object (*list_item)(object, i64);  // borrowed
    int (*list_append)(object, object);
    int (*list_set_slice)(object, i64, i64, object);
    u64 (*as_unsigned)(object);
    i64 (*as_signed)(object);
    double (*as_double)(object);
    object (*error)(void);  // borrowed
    void (*clear_error)(void);
    object (*call)(object, object const *, u64, object);
    void (*retain)(object);
    void (*release)(object);
    object (*bool_of)(long);
    void *(*let_others_run)(void);
    void (*run_again)(void *);
};

struct fact { object owner, name, value; };                // owner.name is value
struct number { i64 place, more, kind; char *target; };      // a value, + more, is packed there
struct argument { object type, layout; struct number number; };  // of a kernel; no layout: a number
struct pair { u64 *first, *second; i64 least, greatest; };  // addresses, and where arrays overlap

struct slot { object *place, value; };                       // *place is value

// A stream, see `CudaStream.launch_now`.
struct stream {
    object *batch, *pending, *limits, *busy;  // its slots
    i64 submission, labels, launches;  // where a batch, and limits, have these, in bytes
    object acquire, release;           // of its lock
    i64 slot_count;
    struct slot *slots;
    i64 fact_count;
    struct fact *facts;
};

struct launch {
    struct api *api;
    struct stream *stream;
    object label;
    int (*driver)(void *, void *, void *, void *);
    void *given, *entry, *parameters;
    i64 number_count;
    struct number *numbers;
    i64 pair_count;
    struct pair *pairs;
    object slow;  // what else launches, given the values
};

struct kernel {
    struct launch *launch;
    struct kernel *next;  // where this one is not asked for; may be null
    object grid, threads;
    object waiting;  // a list that must be empty; may be null
    i64 variable_count;
    struct fact *variables;  // owner: a context variable
    i64 name_count;
    struct fact *names;  // owner: a dictionary
    i64 attribute_count;
    struct fact *attributes;
    i64 argument_count;
    struct argument *arguments;
    i64 pending, layout, address;  // where an array has these, in bytes
};

enum { ADDRESS, SIGNED_4, SIGNED_8, UNSIGNED_4, FLOAT_4, FLOAT_8 };
enum { EQUAL = 2 };  // Py_EQ

static object type_of(object o) { return ((object *)o)[1]; }
static object slot_of(object o, i64 offset) { return *(object *)((char *)o + offset); }

static int is_fact(struct api *api, struct fact *fact) {
    object found = api->get_attribute(fact->owner, fact->name);
    if (!found) {
        api->clear_error();
        return 0;
    }
    int is = found == fact->value;
    api->release(found);
    return is;
}

static int are_facts(struct api *api, i64 count, struct fact *facts) {
    for (i64 i = 0; i < count; ++i)
        if (!is_fact(api, &facts[i])) return 0;
    return 1;
}

// --- A launch ------------------------------------------------------------------------------------

static int do_arrays_lie_apart(struct launch *launch) {
    for (i64 i = 0; i < launch->pair_count; ++i) {
        struct pair *pair = &launch->pairs[i];
        i64 distance = (i64)(*pair->second - *pair->first);
        if (pair->least < distance && distance < pair->greatest) return 0;
    }
    return 1;
}

// How many launches a batch may have yet; 0 as well where anything is unusual.
static i64 room_in(struct api *api, struct stream *stream, object labels) {
    object most = slot_of(*stream->limits, stream->launches);
    if (!most || type_of(most) != api->int_type) return 0;
    i64 found = api->as_signed(most);
    if (found == -1 && api->error()) api->clear_error();
    return found - api->list_size(labels);
}

// Launch into a batch that is not full then; whether it was done. The lock keeps the batch.
static int join_batch(struct launch *launch) {
    struct api *api = launch->api;
    object labels = slot_of(*launch->stream->batch, launch->stream->labels);
    if (!labels || type_of(labels) != api->list_type) return 0;
    if (room_in(api, launch->stream, labels) < 2) return 0;
    if (api->list_append(labels, launch->label)) {
        api->clear_error();
        return 0;
    }
    object *busy = launch->stream->busy, before = *busy;
    api->retain(api->yes);
    *busy = api->yes;
    void *thread = api->let_others_run();
    int code = launch->driver(launch->given, launch->entry, launch->parameters, 0);
    api->run_again(thread);
    *busy = before;
    api->release(api->yes);
    if (!code) return 1;
    // What it has refused is asked for once more, where refusals are dealt with.
    i64 count = api->list_size(labels);
    if (api->list_set_slice(labels, count - 1, count, 0)) api->clear_error();
    return 0;
}

// Whether a launch may be given to the driver at once; before, nothing is written where its
// arguments go: the driver may be about to read those of a launch that this one came into.
static int is_open(struct api *api, struct stream *stream) {
    for (i64 i = 0; i < stream->slot_count; ++i)
        if (*stream->slots[i].place != stream->slots[i].value) return 0;
    object pending = *stream->pending;
    if (!pending || type_of(pending) != api->list_type || api->list_size(pending)) return 0;
    object submission = slot_of(*stream->batch, stream->submission);
    if (!submission || submission == api->none) return 0;
    return are_facts(api, stream->fact_count, stream->facts);
}

// Whether this thread has the lock now, for which it does not wait.
static int take_lock(struct launch *launch) {
    struct api *api = launch->api;
    object found = api->call(launch->stream->acquire, &api->no, 1, 0);
    if (!found) {
        api->clear_error();
        return 0;
    }
    int has = found != api->no;
    api->release(found);
    return has;
}

static void let_lock_go(struct launch *launch) {
    object found = launch->api->call(launch->stream->release, 0, 0, 0);
    if (found)
        launch->api->release(found);
    else
        launch->api->clear_error();
}

// --- From values ---------------------------------------------------------------------------------

static int pack(struct api *api, struct number *number, object value) {
    if (number->kind == FLOAT_4 || number->kind == FLOAT_8) {
        if (type_of(value) != api->float_type) return 0;
        double found = api->as_double(value);
        if (number->kind == FLOAT_4)
            *(float *)number->target = (float)found;
        else
            *(double *)number->target = found;
        return 1;
    }
    if (type_of(value) != api->int_type) return 0;
    if (number->kind == ADDRESS) {
        u64 address = api->as_unsigned(value);
        if (address == (u64)-1 && api->error()) return 0;
        *(u64 *)number->target = address + (u64)number->more;
        return 1;
    }
    i64 found = api->as_signed(value);
    if (found == -1 && api->error()) return 0;
    if (number->kind == SIGNED_8) {
        *(i64 *)number->target = found;
        return 1;
    }
    i64 least = number->kind == SIGNED_4 ? -2147483648LL : 0;
    i64 most = number->kind == SIGNED_4 ? 2147483647LL : 4294967295LL;
    if (found < least || found > most) return 0;
    *(int *)number->target = (int)found;
    return 1;
}

static int pack_all(struct launch *launch, object values) {
    struct api *api = launch->api;
    for (i64 i = 0; i < launch->number_count; ++i) {
        struct number *number = &launch->numbers[i];
        i64 place = number->place < 0 ? number->place + api->list_size(values) : number->place;
        object value = api->list_item(values, place);
        if (!value || !pack(api, number, value)) {
            if (api->error()) api->clear_error();
            return 0;
        }
    }
    return do_arrays_lie_apart(launch);
}

static int launch_values(struct launch *launch, object values) {
    if (type_of(values) != launch->api->list_type || !take_lock(launch)) return 0;
    int is_ready = is_open(launch->api, launch->stream) && pack_all(launch, values);
    int done = is_ready && join_batch(launch);
    let_lock_go(launch);
    return done;
}

// What a builtin is bound to: bytes, which hold an address.
static void *held_by(object self) { return *(void **)((char *)self + 32); }

// The builtin that launches a plan, given a list of its values (METH_O).
object sm_run(object self, object values) {
    struct launch *launch = held_by(self);
    if (!launch_values(launch, values)) return launch->api->call(launch->slow, &values, 1, 0);
    launch->api->retain(launch->api->none);
    return launch->api->none;
}

// --- From the arguments of a kernel --------------------------------------------------------------

static int are_variables(struct api *api, i64 count, struct fact *facts) {
    for (i64 i = 0; i < count; ++i) {
        object found = 0;
        if (api->get_variable(facts[i].owner, 0, &found)) {
            api->clear_error();
            return 0;
        }
        int is = found == facts[i].value;
        if (found) api->release(found);
        if (!is) return 0;
    }
    return 1;
}

static int are_names(struct api *api, i64 count, struct fact *facts) {
    for (i64 i = 0; i < count; ++i)
        if (api->get_item(facts[i].owner, facts[i].name) != facts[i].value) {
            if (api->error()) api->clear_error();
            return 0;
        }
    return 1;
}

static int is_extent(struct api *api, object given, object known) {
    if (given == known) return 1;
    if (type_of(given) != api->int_type || type_of(known) != api->int_type) return 0;
    return api->compare(given, known, EQUAL) == 1;
}

// None, an integer, or a tuple of integers.
static int is_size(struct api *api, object given, object known) {
    if (type_of(given) != api->tuple_type || type_of(known) != api->tuple_type)
        return is_extent(api, given, known);
    i64 count = api->tuple_size(known);
    if (api->tuple_size(given) != count) return 0;
    for (i64 i = 0; i < count; ++i)
        if (!is_extent(api, api->tuple_item(given, i), api->tuple_item(known, i))) return 0;
    return 1;
}

static int are_arguments(struct kernel *kernel, object arguments) {
    struct api *api = kernel->launch->api;
    if (api->tuple_size(arguments) != kernel->argument_count) return 0;
    for (i64 i = 0; i < kernel->argument_count; ++i) {
        object given = api->tuple_item(arguments, i);
        struct argument *known = &kernel->arguments[i];
        if (type_of(given) != known->type) return 0;
        if (!known->layout) continue;
        if (slot_of(given, kernel->pending) != api->none) return 0;
        if (slot_of(given, kernel->layout) != known->layout) return 0;
        if (!slot_of(given, kernel->address)) return 0;
    }
    return 1;
}

static int pack_arguments(struct kernel *kernel, object arguments) {
    struct api *api = kernel->launch->api;
    for (i64 i = 0; i < kernel->argument_count; ++i) {
        object given = api->tuple_item(arguments, i);
        struct argument *known = &kernel->arguments[i];
        object value = known->layout ? slot_of(given, kernel->address) : given;
        if (!pack(api, &known->number, value)) {
            if (api->error()) api->clear_error();
            return 0;
        }
    }
    return do_arrays_lie_apart(kernel->launch);
}

// Whether a call of a kernel is the one that this is about.
static int is_asked_for(struct kernel *kernel, object const *given) {
    struct api *api = kernel->launch->api;
    if (given[2] != api->none || given[4] != api->none || given[5] != api->none) return 0;
    if (!is_size(api, given[1], kernel->grid) || !is_size(api, given[3], kernel->threads)) return 0;
    if (!are_arguments(kernel, given[0])) return 0;
    if (!are_variables(api, kernel->variable_count, kernel->variables)) return 0;
    if (!are_names(api, kernel->name_count, kernel->names)) return 0;
    if (!are_facts(api, kernel->attribute_count, kernel->attributes)) return 0;
    return !kernel->waiting || !api->list_size(kernel->waiting);
}

static int launch_arguments(struct kernel *kernel, object arguments) {
    struct launch *launch = kernel->launch;
    if (!take_lock(launch)) return 0;
    // To look at names may have run code of the user, of which an array may be another one.
    int is_ready = is_open(launch->api, launch->stream) && are_arguments(kernel, arguments);
    int done = is_ready && pack_arguments(kernel, arguments) && join_batch(launch);
    let_lock_go(launch);
    return done;
}

// The builtin that takes the arguments of `Launcher.launch`, and says whether it has launched
// (METH_FASTCALL).
object sm_launch(object self, object const *given, i64 count) {
    struct kernel *kernel = held_by(self);
    struct api *api = kernel->launch->api;
    int done = 0;
    if (count == 6)
        for (; kernel && !done; kernel = kernel->next)
            if (is_asked_for(kernel, given)) {
                done = launch_arguments(kernel, given[0]);
                break;
            }
    return api->bool_of(done);
}
