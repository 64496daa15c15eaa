package io.peft4j.adapters;

import java.util.List;

/** A forward pass did not ask for an adapted weight, so that the adapter would have no effect. */
public final class UnreachedWeightException extends IllegalStateException {

    private static final long serialVersionUID = 1L;

    UnreachedWeightException(String adapter, List<String> paths) {
        super(
                "the forward pass used adapter "
                        + adapter
                        + " without asking its parameter store for "
                        + String.join(", ", paths)
                        + ": a block that calls parameter.getArray() itself must call"
                        + " parameterStore.getValue(parameter, device, training) instead; leave the"
                        + " module out of the targets, or, if a pass uses only some modules, call"
                        + " allowUnusedSites()");
    }
}
