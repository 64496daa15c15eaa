package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * The plainest adapter there is, for tests of everything around methods: W' = W + 0.5 · B · A on
 * the matrix view of a weight, whatever its kind.
 */
record MatrixUpdateConfig(int rank, TargetModules targetModules, boolean fastForm, double dropout)
        implements AdapterConfig {

    /** The factor of the update. */
    static final float SCALING = 0.5f;

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      def delta(self, a: Tensor, b: Tensor) -> Tensor:
                        return torch.mul(torch.mm(b, a), 0.5)
                      def update(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
                        return torch.mul(torch.linear(torch.linear(x, a), b), 0.5)
                    """);

    /** With its fast form for linear layers. */
    static MatrixUpdateConfig of(int rank, String... targets) {
        return new MatrixUpdateConfig(rank, TargetModules.of(targets), true, 0);
    }

    /** Through the effective weight only. */
    MatrixUpdateConfig withoutFastForm() {
        return new MatrixUpdateConfig(rank, targetModules, false, dropout);
    }

    /** Claims to have dropout, which it does not act on. */
    MatrixUpdateConfig withDropout(double probability) {
        return new MatrixUpdateConfig(rank, targetModules, fastForm, probability);
    }

    @Override
    public String method() {
        return "matrix-update";
    }

    @Override
    public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
        return new State(site, owner, seed);
    }

    @Override
    public PeftConfig toPeft() {
        return targetModules.writeTo(PeftConfig.builder("MATRIX_UPDATE")).opt("r", rank).build();
    }

    private final class State implements AdapterState {

        private final Parameter a;
        private final Parameter b;

        State(Site site, NDManager owner, long seed) {
            SplittableRandom random = new SplittableRandom(seed);
            float[] values = new float[rank * (int) site.inFeatures()];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextDouble(-1, 1);
            }
            Shape shape = new Shape(rank, site.inFeatures());
            a = parameter("lora_A", Tensors.of(owner, values, shape));
            b = parameter("lora_B", owner.zeros(new Shape(site.outFeatures(), rank)));
        }

        private static Parameter parameter(String name, NDArray array) {
            Parameter parameter =
                    Parameter.builder()
                            .setName(name)
                            .setType(Parameter.Type.OTHER)
                            .optShape(array.getShape())
                            .optInitializer((manager, shape, type) -> array)
                            .build();
            parameter.initialize(array.getManager(), DataType.FLOAT32);
            return parameter;
        }

        @Override
        public Map<String, Parameter> parameters() {
            Map<String, Parameter> parameters = new LinkedHashMap<>();
            parameters.put("lora_A.weight", a);
            parameters.put("lora_B.weight", b);
            return parameters;
        }

        @Override
        public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
            NDArray left = store.getValue(a, weight.getDevice(), training);
            NDArray right = store.getValue(b, weight.getDevice(), training);
            try (NDArray delta = KERNELS.call(weight.getManager(), "delta", left, right)) {
                return weight.add(delta);
            }
        }

        @Override
        public NDArray linearUpdate(
                NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
            if (!fastForm) {
                return null;
            }
            NDArray left = store.getValue(a, x.getDevice(), training);
            NDArray right = store.getValue(b, x.getDevice(), training);
            return KERNELS.call(x.getManager(), "update", x, left, right);
        }

        @Override
        public double dropout() {
            return dropout;
        }

        @Override
        public void close() {
            a.close();
            b.close();
        }
    }
}
