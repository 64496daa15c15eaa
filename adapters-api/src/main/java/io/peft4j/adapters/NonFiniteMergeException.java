package io.peft4j.adapters;

/** A merge was refused because an effective weight is infinite or not a number. */
public final class NonFiniteMergeException extends IllegalStateException {

    private static final long serialVersionUID = 1L;

    NonFiniteMergeException(String path) {
        super(
                "merge refused, nothing changed: the effective weight of "
                        + path
                        + " is not finite; look for NaN or Inf in the adapter's tensors");
    }
}
