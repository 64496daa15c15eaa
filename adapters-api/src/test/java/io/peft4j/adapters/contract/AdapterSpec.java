package io.peft4j.adapters.contract;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import org.junit.jupiter.api.TestTemplate;

/**
 * Runs a behaviour once for every combination of these values that the method under test can have;
 * the behaviour takes the combination as an {@link AdapterCase}.
 */
@java.lang.annotation.Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@TestTemplate
public @interface AdapterSpec {

    /** The adapter's rank. */
    int[] rank() default {1, 3};

    /** How the base weights are stored. */
    Storage[] storage() default {Storage.FLOAT32};

    /** Whether the adapted layers have biases; layers that never have any run once. */
    boolean[] bias() default {false, true};

    /** What is adapted; all targets unless said. */
    Target[] target() default {};

    /** What is passed to forwards as {@code training}. */
    boolean[] training() default {false};

    /** How base weights are stored. */
    enum Storage {
        /** 32 bits. */
        FLOAT32,
        /** 16 bits; such a base can be merged into, but not run. */
        BFLOAT16
    }
}
