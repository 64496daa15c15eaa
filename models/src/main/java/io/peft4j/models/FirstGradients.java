package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.List;

/** Zeros for tensors that hold no gradient yet: the kernels add to those that tensors hold. */
final class FirstGradients {

    private FirstGradients() {}

    /**
     * Has libtorch give a gradient to those that have none.
     *
     * @param pass the pass
     * @param trained tensors that require one, and that backward reaches
     */
    static void give(LayerPass pass, List<NDArray> trained) {
        if (trained.isEmpty()) {
            return;
        }
        TextModule kernels = pass.kernels();
        try (NDManager scope = pass.owner().newSubManager();
                TorchValue all = TorchValue.of(trained);
                TorchValue bare = kernels.infer("bare", all)) {
            List<NDArray> without = bare.tensors(scope);
            if (!without.isEmpty()) {
                try (GradMode recording = GradMode.enabled()) {
                    Gradients.backward(
                            kernels.callLists(scope, "nothing_of", List.of(new NDList(without)))
                                    .singletonOrThrow());
                }
            }
        }
    }
}
