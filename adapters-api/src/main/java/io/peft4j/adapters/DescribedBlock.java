package io.peft4j.adapters;

import org.jspecify.annotations.Nullable;

/**
 * A block that knows what its own parameters are used for, where their shapes and the block's class
 * do not tell. It reads them from the store that its forward is given.
 */
public interface DescribedBlock {

    /**
     * Describes one of the block's own parameters.
     *
     * @param path the block's dotted path, which is the site's unless the parameter is not its
     *     weight
     * @param parameter the parameter's name
     * @return the site, or null if no adapter can attach to it
     */
    @Nullable Site site(String path, String parameter);
}
