package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A method whose sites share frozen parameters, as VeRA's do (arXiv:2310.11454). */
class SharedParametersTest {

    @TempDir private Path directory;

    @Test
    void sharedParametersAreSavedOnceStayFrozenAndAreLoaded() throws IOException {
        try (TinyModel base = new TinyModel(false);
                NDManager scope = base.manager().newSubManager();
                AdaptedModel model = Adapters.attach(base, new SharedConfig(3), 5)) {
            NDArray x = scope.randomNormal(new Shape(2, TinyModel.IN));
            Adapter adapter = model.adapter();
            assertThat(adapter.parameters().keySet())
                    .containsExactly(
                            "base_model.vera_A",
                            "base_model.vera_B",
                            "base_model.model.body.up.vera_lambda_b",
                            "base_model.model.body.up.vera_lambda_d",
                            "base_model.model.body.down.vera_lambda_b",
                            "base_model.model.body.down.vera_lambda_d");
            train(base, x, adapter);
            assertThat(trainable(adapter)).isEqualTo(5 + 3 + 7 + 3);
            assertThat(model.summary().trainable()).isEqualTo(5 + 3 + 7 + 3);
            float[] trained = base.run(x, false).toFloatArray();
            model.save(directory);

            model.add("other", new SharedConfig(3), 6);
            model.activate("other");
            assertThat(base.run(x, false).toFloatArray()).isNotEqualTo(trained);
            model.adapter("other").load(directory);
            assertThat(base.run(x, false).toFloatArray()).isEqualTo(trained);
            model.delete("other");
        }
    }

    private static void train(TinyModel base, NDArray x, Adapter adapter) {
        try (GradMode on = GradMode.enabled()) {
            Gradients.backward(base.run(x, true).square().sum());
        }
        for (Map.Entry<String, Parameter> entry : adapter.parameters().entrySet()) {
            NDArray array = entry.getValue().getArray();
            assertThat(array.hasGradient()).isEqualTo(entry.getKey().contains("lambda"));
            if (entry.getKey().endsWith("lambda_b")) {
                try (NDArray moved = array.getGradient().mul(-0.01f).add(array)) {
                    Tensors.copy(moved, array);
                }
            }
        }
    }

    private static long trainable(Adapter adapter) {
        return adapter.parameters().values().stream()
                .filter(Parameter::requiresGradient)
                .mapToLong(p -> p.getShape().size())
                .sum();
    }

    private record SharedConfig(int rank) implements AdapterConfig {

        @Override
        public String method() {
            return "shared";
        }

        @Override
        public TargetModules targetModules() {
            return TargetModules.parse("all-linear");
        }

        @Override
        public AdapterFactory begin(List<Site> sites, NDManager owner, long seed) {
            long in = sites.stream().mapToLong(Site::inFeatures).max().orElseThrow();
            long out = sites.stream().mapToLong(Site::outFeatures).max().orElseThrow();
            Random random = new Random(seed);
            Parameter a = parameter("A", owner, new Shape(rank, in), random, 0.5, false);
            Parameter b = parameter("B", owner, new Shape(out, rank), random, 0.5, false);
            Map<String, Parameter> shared = new LinkedHashMap<>();
            shared.put("vera_A", a);
            shared.put("vera_B", b);
            return new AdapterFactory() {
                @Override
                public Map<String, Parameter> shared() {
                    return shared;
                }

                @Override
                public AdapterState create(Site site, NDArray w, NDManager manager, long ignored) {
                    return new SharedState(site, a, b, manager);
                }
            };
        }

        @Override
        public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
            return begin(List.of(site), owner, seed).create(site, weight, owner, seed);
        }

        @Override
        public PeftConfig toPeft() {
            return targetModules().writeTo(PeftConfig.builder("SHARED")).opt("r", rank).build();
        }
    }

    private static Parameter parameter(
            String name,
            NDManager owner,
            Shape shape,
            Random random,
            double deviation,
            boolean trained) {
        float[] values = new float[(int) shape.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (deviation * random.nextGaussian());
        }
        Parameter parameter =
                Parameter.builder()
                        .setName(name)
                        .setType(Parameter.Type.OTHER)
                        .optShape(shape)
                        .optRequiresGrad(trained)
                        .optInitializer((m, s, type) -> Tensors.of(m, values, s))
                        .build();
        parameter.initialize(owner, DataType.FLOAT32);
        return parameter;
    }

    /** W' = W + diag(b) B diag(d) A, of the parts of A and B that the site has a use for. */
    private static final class SharedState implements AdapterState {

        private static final TextModule KERNEL =
                TextModule.compile(
                        """
                          def effective(self, w: Tensor, a: Tensor, b: Tensor, d: Tensor, e: Tensor) -> Tensor:
                            down = torch.mul(torch.unsqueeze(d, 1), torch.narrow(a, 1, 0, torch.size(w, 1)))
                            up = torch.mul(torch.unsqueeze(e, 1), torch.narrow(b, 0, 0, torch.size(w, 0)))
                            return torch.add(w, torch.mm(up, down))
                        """);

        private final Parameter a;
        private final Parameter b;
        private final Parameter lambdaB;
        private final Parameter lambdaD;

        SharedState(Site site, Parameter a, Parameter b, NDManager owner) {
            this.a = a;
            this.b = b;
            Random random = new Random(3);
            Shape out = new Shape(site.outFeatures());
            lambdaB = parameter("lambda_b", owner, out, random, 0, true);
            lambdaD = parameter("lambda_d", owner, new Shape(a.getShape().get(0)), random, 1, true);
        }

        @Override
        public Map<String, Parameter> parameters() {
            Map<String, Parameter> parameters = new LinkedHashMap<>();
            parameters.put("vera_lambda_b", lambdaB);
            parameters.put("vera_lambda_d", lambdaD);
            return parameters;
        }

        @Override
        public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
            return KERNEL.call(
                    weight.getManager(),
                    "effective",
                    weight,
                    store.getValue(a, weight.getDevice(), training),
                    store.getValue(b, weight.getDevice(), training),
                    store.getValue(lambdaD, weight.getDevice(), training),
                    store.getValue(lambdaB, weight.getDevice(), training));
        }

        @Override
        public void close() {
            lambdaB.close();
            lambdaD.close();
        }
    }
}
