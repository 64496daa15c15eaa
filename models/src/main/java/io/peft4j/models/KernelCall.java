package io.peft4j.models;

import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;

/**
 * The arguments of one call of a stage's kernel, in order; those that are made for it go with it.
 */
final class KernelCall implements AutoCloseable {

    private final LayerPass pass;
    private final List<TorchValue> arguments = new ArrayList<>();
    private final List<TorchValue> masks = new ArrayList<>();

    KernelCall(LayerPass pass) {
        this.pass = pass;
    }

    /** Adds arguments that stay the caller's. */
    KernelCall add(TorchValue... values) {
        arguments.addAll(List.of(values));
        return this;
    }

    /**
     * Adds a group of linear layers, as {@code projection.ts} takes it.
     *
     * @param rows how many rows the group's input has
     */
    KernelCall addGroup(PassLinears linears, int group, long rows) {
        GroupUpdates updates = linears.updates(group);
        TorchValue keeps = linears.keeps(pass.owner(), group, rows);
        masks.add(keeps);
        return add(
                linears.weights(group),
                linears.biases(group),
                updates.tensors(),
                updates.layers(),
                updates.numbers(),
                keeps);
    }

    /** Runs a kernel; the result is the caller's. */
    TorchValue infer(String kernel) {
        return pass.kernels().infer(kernel, arguments.toArray(TorchValue[]::new));
    }

    @Override
    public void close() {
        masks.forEach(GroupUpdates::free);
    }
}
