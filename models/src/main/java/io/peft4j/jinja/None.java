package io.peft4j.jinja;

/** Python's None. */
enum None {
    NONE
}
