package io.peft4j.jinja;

import java.util.AbstractList;
import java.util.List;

/** Python's tuple: a list that prints otherwise, and equals no list. */
final class Tuple extends AbstractList<Object> {

    private final List<Object> elements;

    Tuple(List<Object> elements) {
        this.elements = List.copyOf(elements);
    }

    static Tuple of(Object... elements) {
        return new Tuple(List.of(elements));
    }

    @Override
    public Object get(int index) {
        return elements.get(index);
    }

    @Override
    public int size() {
        return elements.size();
    }
}
