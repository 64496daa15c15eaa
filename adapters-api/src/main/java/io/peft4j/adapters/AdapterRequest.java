package io.peft4j.adapters;

import java.util.Arrays;
import java.util.List;

/**
 * An input with the adapters that it is to be answered with, for {@link AdapterTranslator}.
 *
 * @param input the input
 * @param adapters their names, whose updates add; none for the base model
 * @param <I> the type of the input
 */
public record AdapterRequest<I>(I input, List<String> adapters) {

    /** Copies the list. */
    public AdapterRequest {
        adapters = List.copyOf(adapters);
    }

    /**
     * Makes a request.
     *
     * @param input the input
     * @param adapters the names of adapters; none for the base model
     * @param <I> the type of the input
     * @return the request
     */
    public static <I> AdapterRequest<I> of(I input, String... adapters) {
        return new AdapterRequest<>(input, Arrays.asList(adapters));
    }
}
