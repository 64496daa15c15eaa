package io.peft4j.adapters;

import java.util.List;

/** A merge would change modules that share the adapted weight and are not adapted with it. */
public final class TiedWeightException extends IllegalStateException {

    private static final long serialVersionUID = 1L;

    TiedWeightException(String path, List<String> tiedTo) {
        super(
                "merging the adapter of "
                        + path
                        + " would change "
                        + String.join(", ", tiedTo)
                        + " too, which shares its weight and is not adapted; untie them first, keep the"
                        + " adapter apart, or adapt both with ensure_weight_tying");
    }
}
