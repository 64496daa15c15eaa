package io.peft4j.lora;

/** How TIES elects a position's sign. */
public enum MajoritySign {
    /** By the sum of the elements. */
    TOTAL,
    /** By the number of elements of each sign. */
    FREQUENCY
}
