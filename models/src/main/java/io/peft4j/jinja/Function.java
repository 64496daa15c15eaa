package io.peft4j.jinja;

/** Something that a template can call. */
@FunctionalInterface
interface Function {

    Object call(Arguments arguments);
}
