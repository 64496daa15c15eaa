package io.peft4j.benchmarks;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.models.CausalLm;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.TextModule;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The least time that a training step can take on this machine: that of the products with the base
 * weights alone, one forward and one backward for each linear layer and the head, each as the
 * fastest of libtorch's ways to compute it. Attention, norms, adapters and optimizer come on top.
 */
public final class GemmLimit {

    private static final int TRIES = 5;

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      def random(self, like: Tensor, rows: Tensor, columns: Tensor, narrow: Tensor) -> Tensor:
                        x = torch.rand([int(rows), int(columns)], dtype=6, device=ops.prim.device(like))
                        if torch.gt(int(narrow), 0):
                          y = torch.to(x, 15)
                        else:
                          y = x
                        return y

                      def forward_plain(self, x: Tensor, w: Tensor) -> Tensor:
                        return torch.linear(x, w)

                      def backward_plain(self, y: Tensor, w: Tensor) -> Tensor:
                        return torch.mm(y, w)

                      def backward_turned(self, y: Tensor, w: Tensor) -> Tensor:
                        return torch.linear(y, torch.contiguous(torch.t(w)))

                      def forward_widened(self, x: Tensor, w: Tensor) -> Tensor:
                        return torch.to(torch.linear(torch.to(x, 6), torch.to(w, 6)), ops.prim.dtype(x))

                      def backward_widened(self, y: Tensor, w: Tensor) -> Tensor:
                        return torch.to(torch.mm(torch.to(y, 6), torch.to(w, 6)), ops.prim.dtype(y))

                      def forward_onednn(self, x: Tensor, w: Tensor) -> Tensor:
                        return ops.mkldnn._linear_pointwise(x, w, None, "none", [], "")

                      def backward_onednn(self, y: Tensor, w: Tensor) -> Tensor:
                        return ops.mkldnn._linear_pointwise(y, torch.t(w), None, "none", [], "")
                    """);

    private final NDManager manager;
    private final boolean narrow;
    private final Map<String, Double> known = new HashMap<>();

    private GemmLimit(NDManager manager, boolean narrow) {
        this.manager = manager;
        this.narrow = narrow;
    }

    /**
     * Measures, and prints the seconds of a step.
     *
     * @param arguments the model's directory, the type of the base weights, the number of tokens
     * @throws IOException if the model cannot be read
     */
    public static void main(String[] arguments) throws IOException {
        int tokens = Integer.parseInt(arguments[2]);
        try (CausalLm model = CausalLm.load(Path.of(arguments[0]), Device.cpu());
                NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
                GradMode off = GradMode.disabled()) {
            GemmLimit limit = new GemmLimit(manager, arguments[1].equals("bfloat16"));
            long head = model.config().hasTiedHead() ? model.config().vocabularySize() : 0;
            double seconds = head == 0 ? 0 : limit.step(tokens, head, model.config().hiddenSize());
            for (Site site : Adapters.sites(model.block())) {
                if (site.kind() == Site.Kind.LINEAR) {
                    seconds += limit.step(tokens, site.outFeatures(), site.inFeatures());
                }
            }
            System.out.println(seconds);
        }
    }

    private double step(int tokens, long out, long in) {
        return known.computeIfAbsent(out + "x" + in, key -> measure(tokens, out, in));
    }

    private double measure(int tokens, long out, long in) {
        try (NDManager scope = manager.newSubManager()) {
            NDArray w = random(scope, out, in);
            NDArray x = random(scope, tokens, in);
            NDArray y = random(scope, tokens, out);
            return best(List.of("forward_plain", "forward_widened", "forward_onednn"), x, w)
                    + best(
                            List.of(
                                    "backward_plain",
                                    "backward_turned",
                                    "backward_widened",
                                    "backward_onednn"),
                            y,
                            w);
        }
    }

    private NDArray random(NDManager scope, long rows, long columns) {
        return KERNELS.call(
                scope,
                "random",
                scope.zeros(new Shape(1)),
                scope.create(rows),
                scope.create(columns),
                scope.create(narrow ? 1L : 0L));
    }

    private static double best(List<String> ways, NDArray left, NDArray weight) {
        double best = Double.POSITIVE_INFINITY;
        for (String way : ways) {
            for (int i = 0; i < TRIES; i++) {
                long start = System.nanoTime();
                try {
                    KERNELS.call(left.getManager(), way, left, weight).close();
                } catch (EngineException e) {
                    break; // oneDNN has no bfloat16 on processors without instructions for it
                }
                best = Math.min(best, (System.nanoTime() - start) / 1e9);
            }
        }
        return best;
    }
}
