package io.peft4j.adapters;

import java.util.function.BooleanSupplier;

/** An adapter's state in one layer, and whether the adapter is in effect just now. */
record AdapterSlot(AdapterState state, BooleanSupplier inEffect) {

    boolean active() {
        return inEffect.getAsBoolean();
    }
}
