package io.peft4j.jinja;

/**
 * What a name without a value stands for: it prints as nothing, is false and has no elements; any
 * other use of it is an error.
 *
 * @param reason what to say then
 */
record Undefined(String reason) {

    static Undefined variable(String name) {
        return new Undefined("'" + name + "' is undefined");
    }

    static Undefined attribute(Object owner, String name) {
        return new Undefined(
                "'" + Values.typeName(owner) + " object' has no attribute '" + name + "'");
    }

    static Undefined element(Object owner, Object key) {
        return new Undefined(Values.typeName(owner) + " object has no element " + Values.repr(key));
    }

    JinjaException refused() {
        return new JinjaException(reason);
    }
}
