package io.peft4j.adapters;

import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import java.util.IdentityHashMap;

/**
 * Puts an {@link AdaptedLinear} in the place of each {@link Linear} of a block tree. A layer that
 * cannot be reached, such as one in a lambda, stays, and gets its effective weight from the store.
 */
final class LinearSwap {

    private final Block root;
    private final BlockReferences replacement;

    private LinearSwap(Block root, BlockReferences replacement) {
        this.root = root;
        this.replacement = replacement;
    }

    static LinearSwap in(Block root) {
        IdentityHashMap<Block, Block> twins = new IdentityHashMap<>();
        for (Block block : BlockTree.paths(root).values()) {
            if (block instanceof AdaptedLinear || block instanceof AdaptedBlock) {
                throw new IllegalStateException(
                        "this block has adapters already; add another to its adapted model");
            }
            if (block.getClass() == Linear.class) {
                twins.put(block, new AdaptedLinear((Linear) block));
            }
        }
        return new LinearSwap(twins.getOrDefault(root, root), BlockReferences.replace(root, twins));
    }

    /** What to call instead of the root, to which nothing in the tree refers. */
    Block root() {
        return root;
    }

    void undo() {
        replacement.undo();
    }
}
