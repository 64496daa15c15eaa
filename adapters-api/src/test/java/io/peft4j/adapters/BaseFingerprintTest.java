package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.Tensors;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class BaseFingerprintTest {

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager("PyTorch");
    }

    @AfterEach
    void close() {
        manager.close();
    }

    /** A model of one linear layer (out, in), its weights 1, 2, 3 …, its bias zero. */
    private SequentialBlock linear(long in, long out) {
        SequentialBlock block = new SequentialBlock().add(Linear.builder().setUnits(out).build());
        block.initialize(manager, DataType.FLOAT32, new Shape(1, in));
        NDArray weight = weight(block).getArray();
        float[] values = new float[(int) weight.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = i + 1;
        }
        set(weight, values);
        return block;
    }

    private static Parameter weight(SequentialBlock block) {
        return block.getParameters().valueAt(0);
    }

    private void set(NDArray array, float... values) {
        try (NDArray given = manager.create(values, array.getShape())) {
            Tensors.copy(given, array);
        }
    }

    private static String of(SequentialBlock block) {
        return Adapters.baseFingerprint(block);
    }

    @Test
    void theSameBaseHasTheSameFingerprint() {
        assertThat(of(linear(3, 2))).hasSize(64).isEqualTo(of(linear(3, 2)));
    }

    @Test
    void itIsTheSameOnEveryMachineAndInEveryVersion() {
        // names, shapes and elements as documented; a change would make every saved one useless
        assertThat(of(linear(3, 2)))
                .isEqualTo("7d9cbb76a1ec8149432bb70399346c22af6dfdccb0eba61dd3b1d6e49f122e4c");
    }

    @Test
    void oneBitOfOneElementChangesIt() {
        SequentialBlock block = linear(3, 2);
        String before = of(block);
        float[] values = weight(block).getArray().toFloatArray();
        values[4] = Math.nextUp(values[4]);
        set(weight(block).getArray(), values);
        assertThat(of(block)).isNotEqualTo(before);
    }

    @Test
    void anotherShapeChangesIt() {
        SequentialBlock wide = linear(4, 2);
        SequentialBlock tall = linear(2, 4);
        for (SequentialBlock block : new SequentialBlock[] {wide, tall}) {
            block.getParameters().values().forEach(p -> set(p.getArray(), zeros(p)));
        }
        assertThat(of(wide)).isNotEqualTo(of(tall));
    }

    private static float[] zeros(Parameter parameter) {
        return new float[(int) parameter.getShape().size()];
    }

    @Test
    void anotherNameChangesIt() {
        SequentialBlock named = new SequentialBlock();
        named.add(linear(3, 2));
        assertThat(of(named)).isNotEqualTo(of(linear(3, 2)));
    }

    @Test
    void elementsAreTakenFromTheFirstToTheLast() {
        long[] places = BaseFingerprint.places(3_000_000_000L);
        assertThat(places).hasSize(BaseFingerprint.SAMPLES).isSorted().doesNotHaveDuplicates();
        assertThat(places[0]).isZero();
        assertThat(places[places.length - 1]).isEqualTo(2_999_999_999L);
        assertThat(BaseFingerprint.places(3)).containsExactly(0, 1, 2);
        assertThat(BaseFingerprint.places(1)).containsExactly(0);
    }

    @Test
    void anElementBetweenThePlacesOfALargeTensorDoesNotCount() {
        SequentialBlock block = linear(64, 64);
        String before = of(block);
        float[] values = weight(block).getArray().toFloatArray();
        long[] places = BaseFingerprint.places(values.length);
        assertThat(Arrays.binarySearch(places, 2)).isNegative();
        values[2] = -1;
        set(weight(block).getArray(), values);
        assertThat(of(block)).isEqualTo(before);
        values[(int) places[1]] = -1;
        set(weight(block).getArray(), values);
        assertThat(of(block)).isNotEqualTo(before);
    }

    @Test
    void theSameValuesInSixteenBitsHaveTheSameFingerprint() {
        SequentialBlock block = linear(3, 2); // small whole numbers, exact in every type
        String before = of(block);
        NDArray wide = weight(block).getArray();
        NDArray half = wide.toType(DataType.FLOAT16, true);
        store(block, BFloat16.of(manager, wide));
        assertThat(of(block)).isEqualTo(before);
        store(block, half);
        assertThat(of(block)).isEqualTo(before);
    }

    /** Puts an array of another type into the place of a parameter's. */
    private static void store(SequentialBlock block, NDArray array) {
        Parameter parameter = weight(block);
        parameter.close();
        parameter.setShape(null);
        parameter.setArray(array);
    }

    @Test
    void oneBitOfADoubleChangesIt() {
        SequentialBlock block = new SequentialBlock().add(Linear.builder().setUnits(1).build());
        block.initialize(manager, DataType.FLOAT64, new Shape(1, 1));
        NDArray weight = weight(block).getArray();
        weight.set(new double[] {1});
        String before = of(block);
        weight.set(new double[] {Math.nextUp(1.0)});
        assertThat(of(block)).isNotEqualTo(before);
    }

    @Test
    void theStatisticsThatATrainingMovesDoNotCount() {
        SequentialBlock block = new SequentialBlock().add(BatchNorm.builder().build());
        block.initialize(manager, DataType.FLOAT32, new Shape(4, 3));
        String before = of(block);
        float[] mean = block.getParameters().get(2).getValue().getArray().toFloatArray();
        NDArray x = manager.arange(12f).reshape(4, 3);
        block.forward(new ParameterStore(manager, false), new NDList(x), true);
        assertThat(block.getParameters().get(2).getValue().getArray().toFloatArray())
                .isNotEqualTo(mean);
        assertThat(of(block)).isEqualTo(before);
    }
}
