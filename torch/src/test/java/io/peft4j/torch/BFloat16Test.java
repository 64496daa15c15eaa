package io.peft4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class BFloat16Test {

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @Test
    void everyBitPatternIsKeptAndWidensExactly() {
        short[] patterns = allPatterns();
        NDArray array = BFloat16.ofBits(manager, patterns, new Shape(256, 256));
        assertThat(array.getShape()).isEqualTo(new Shape(256, 256));
        assertThat(BFloat16.isBFloat16(array)).isTrue();
        assertThat(BFloat16.bits(array)).isEqualTo(patterns);

        float[] wide = BFloat16.toFloat32(manager, array).toFloatArray();
        for (int i = 0; i < wide.length; i++) {
            assertThat(Float.floatToRawIntBits(wide[i])).isEqualTo(patterns[i] << 16);
        }
    }

    @Test
    void everyBfloat16SurvivesFloat32AndBack() {
        short[] patterns = allPatterns();
        NDArray wide =
                BFloat16.toFloat32(
                        manager, BFloat16.ofBits(manager, patterns, new Shape(patterns.length)));
        assertRounded(wide.toFloatArray(), BFloat16.bits(BFloat16.of(manager, wide)));
    }

    @Test
    void roundingIsToNearestWithTiesToEven() {
        List<Float> values = new ArrayList<>();
        for (int pattern = 0; pattern <= 0x7f7f; pattern++) { // the last step leads to infinity
            int tie = pattern << 16 | 0x8000;
            for (int bits : new int[] {tie - 1, tie, tie + 1}) {
                values.add(Float.intBitsToFloat(bits));
                values.add(Float.intBitsToFloat(bits | 0x80000000));
            }
        }
        assertRoundedByTorch(floats(values));
    }

    @Test
    void anyFloatIsRounded() {
        Random random = new Random(7);
        float[] values = new float[200_003];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.intBitsToFloat(random.nextInt());
        }
        assertRoundedByTorch(values);
    }

    @Test
    void specialValuesHaveTheirBits() {
        float[] values = {
            0f,
            -0f,
            1f,
            -2f,
            Float.POSITIVE_INFINITY,
            Float.NEGATIVE_INFINITY,
            Float.MAX_VALUE,
            Float.MIN_VALUE,
            -Float.MIN_VALUE,
            0x1p-127f,
            0x1p-133f,
            0x1p-134f,
            0x1.8p-133f,
            1 + 0x1p-8f,
            1 + 0x1.8p-7f
        };
        int[] expected = {
            0, 0x8000, 0x3f80, 0xc000, 0x7f80, 0xff80, 0x7f80, 0, 0x8000, 0x0040, 0x0001, 0, 0x0002,
            0x3f80, 0x3f82
        };
        short[] bits = BFloat16.bits(BFloat16.of(manager, manager.create(values)));
        for (int i = 0; i < values.length; i++) {
            assertThat(bits[i]).as("%s", values[i]).isEqualTo((short) expected[i]);
        }
    }

    @Test
    void nanStaysNanAtEveryPlaceOfAVector() {
        float[] values = new float[67];
        for (int i = 0; i < values.length; i++) {
            // a payload that plain truncation would turn into infinity, and both signs
            values[i] = Float.intBitsToFloat(i % 2 == 0 ? 0x7f800001 : 0xffc00000);
        }
        assertRoundedByTorch(values);
    }

    @Test
    void everyFloat16IsRounded() {
        ByteBuffer halves = ByteBuffer.allocateDirect(1 << 17).order(ByteOrder.nativeOrder());
        halves.asShortBuffer().put(allPatterns());
        NDArray half = manager.create(halves, new Shape(1 << 16), DataType.FLOAT16);
        float[] exact = BFloat16.toFloat32(manager, half).toFloatArray();
        assertThat(exact[1]).isEqualTo(0x1p-24f); // subnormal in float16
        assertRounded(exact, BFloat16.bits(BFloat16.of(manager, half)));
    }

    @Test
    void viewsAreReadInTheirOwnOrder() {
        NDArray x = manager.create(new float[] {1, 2, 3, 4, 5, 6}, new Shape(2, 3));
        NDArray rounded = BFloat16.of(manager, x.transpose());
        assertThat(rounded.getShape()).isEqualTo(new Shape(3, 2));
        assertThat(BFloat16.bits(rounded)).isEqualTo(bitsOf(1, 4, 2, 5, 3, 6));
        assertThat(BFloat16.bits(rounded.transpose())).isEqualTo(bitsOf(1, 2, 3, 4, 5, 6));
        assertThat(BFloat16.bits(rounded.get("1:, 1"))).isEqualTo(bitsOf(5, 6));
        assertThat(BFloat16.toFloat32(manager, rounded.transpose()).toFloatArray())
                .containsExactly(1, 2, 3, 4, 5, 6);
        assertThat(BFloat16.bits(BFloat16.of(manager, x.get(":, 1:"))))
                .isEqualTo(bitsOf(2, 3, 5, 6));
    }

    @Test
    void scalarsAndEmptyArraysHaveTheirShapes() {
        for (Shape shape :
                new Shape[] {new Shape(), new Shape(2, 0), new Shape(0), new Shape(1, 3)}) {
            int size = (int) shape.size();
            NDArray zeros = BFloat16.zeros(manager, shape);
            assertThat(zeros.getShape()).isEqualTo(shape);
            assertThat(zeros.getDevice()).isEqualTo(Device.cpu());
            assertThat(BFloat16.isBFloat16(zeros)).isTrue();
            assertThat(BFloat16.bits(zeros)).isEqualTo(new short[size]);
            assertThat(BFloat16.toFloat32(manager, zeros).getShape()).isEqualTo(shape);
            assertThat(BFloat16.ofBits(manager, new short[size], shape).getShape())
                    .isEqualTo(shape);
            assertThat(BFloat16.of(manager, manager.zeros(shape)).getShape()).isEqualTo(shape);
        }
    }

    @Test
    void anotherNumberOfBitsThanTheShapeHasIsRefused() {
        assertThatThrownBy(() -> BFloat16.ofBits(manager, new short[5], new Shape(2, 3)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("BFloat16.ofBits: expected 6 elements for the shape (2, 3), found 5");
    }

    @Test
    void resultsHaveNoHistoryAndNoConnectionToTheirSource() {
        try (GradMode on = GradMode.enabled()) {
            NDArray x = manager.create(new float[] {1, 2});
            x.setRequiresGradient(true);
            NDArray rounded = BFloat16.of(manager, x);
            NDArray again = BFloat16.of(manager, rounded);
            NDArray wide = BFloat16.toFloat32(manager, x);
            Tensors.copy(manager.create(new float[] {8, 9}), x);
            Tensors.copy(manager.create(new float[] {6, 7}), rounded);
            assertThat(rounded.hasGradient()).isFalse();
            assertThat(wide.hasGradient()).isFalse();
            assertThat(BFloat16.bits(again)).isEqualTo(bitsOf(1, 2));
            assertThat(wide.toFloatArray()).containsExactly(1, 2);
        }
    }

    @Test
    void copiesConvertInBothDirectionsAndViewsSeeThem() {
        NDArray target = BFloat16.zeros(manager, new Shape(2, 2));
        NDArray view = target.get("1:");
        Tensors.copy(manager.create(new float[] {1, 2, 3, 1 + 0x1p-8f}, new Shape(2, 2)), target);
        assertThat(BFloat16.bits(view)).isEqualTo(bitsOf(3, 1));

        NDArray wide = manager.zeros(new Shape(2, 2));
        Tensors.copy(target, wide);
        assertThat(wide.toFloatArray()).containsExactly(1, 2, 3, 1);

        NDArray other = BFloat16.zeros(manager, new Shape(2, 2));
        Tensors.copy(target.transpose(), other);
        assertThat(BFloat16.bits(other)).isEqualTo(bitsOf(1, 3, 2, 1));
        assertThat(other.getShape()).isEqualTo(new Shape(2, 2));
        assertThat(other.getDevice()).isEqualTo(Device.cpu());
    }

    @Test
    void aCloneIsBfloat16AndIndependent() {
        NDArray array = BFloat16.ofBits(manager, new short[] {1, (short) 0xffc1}, new Shape(2, 1));
        NDArray clone = Tensors.clone(manager, array);
        Tensors.copy(BFloat16.zeros(manager, new Shape(2, 1)), array);
        assertThat(BFloat16.isBFloat16(clone)).isTrue();
        assertThat(clone.getShape()).isEqualTo(new Shape(2, 1));
        assertThat(clone.getDevice()).isEqualTo(array.getDevice());
        assertThat(BFloat16.bits(clone)).containsExactly((short) 1, (short) 0xffc1);
    }

    @Test
    void theSumOfTwoIsRoundedOnceAndWithFloat32ItIsFloat32() {
        Random random = new Random(11);
        float[] left = new float[10_001];
        float[] right = new float[left.length];
        for (int i = 0; i < left.length; i++) {
            left[i] = Float.intBitsToFloat(random.nextInt() & 0xffff0000);
            // near enough for the smaller one to count
            right[i] =
                    Float.intBitsToFloat(
                            Float.floatToRawIntBits(left[i]) ^ random.nextInt(0x400) << 16);
        }
        NDArray a = BFloat16.of(manager, manager.create(left));
        NDArray b = BFloat16.of(manager, manager.create(right));
        NDArray wide = manager.create(right);
        float[] sums = new float[left.length];
        for (int i = 0; i < left.length; i++) {
            sums[i] = left[i] + right[i];
        }
        assertThat(BFloat16.isBFloat16(a.add(b))).isTrue();
        assertRounded(sums, BFloat16.bits(a.add(b)));
        assertThat(a.add(wide).getDataType()).isEqualTo(DataType.FLOAT32);
        assertThat(a.add(wide).toFloatArray()).containsExactly(sums);
        assertThat(wide.add(a).toFloatArray())
                .containsExactly(wide.add(manager.create(left)).toFloatArray());
        NDArray inPlace = Tensors.clone(manager, a);
        inPlace.addi(b);
        assertRounded(sums, BFloat16.bits(inPlace));
    }

    @Test
    void onlyBfloat16IsCalledSo() {
        try (TextModule module =
                TextModule.compile(
                        """
                          def int16(self, x: Tensor) -> Tensor:
                            return torch.to(x, 2)
                        """)) {
            NDArray x = manager.create(new float[] {1, 2});
            NDArray int16 = module.call(manager, "int16", x);
            assertThat(int16.getDataType()).isEqualTo(DataType.UNKNOWN);
            assertThat(BFloat16.isBFloat16(int16)).isFalse();
            assertThat(BFloat16.isBFloat16(x)).isFalse();
            assertThat(BFloat16.isBFloat16(BFloat16.of(manager, x))).isTrue();
            assertThatThrownBy(() -> BFloat16.of(manager, int16))
                    .isInstanceOf(UnsupportedDtypeException.class)
                    .hasMessage(
                            "BFloat16.of: expected FLOAT32, FLOAT16 or bfloat16, found UNKNOWN (2);"
                                    + " convert it to FLOAT32 first");
        }
    }

    @Test
    void arraysOfOtherTypesAreRefusedWithTheRemedy() {
        assertThatThrownBy(() -> BFloat16.of(manager, manager.create(new double[] {1})))
                .isInstanceOf(UnsupportedDtypeException.class)
                .hasMessageContaining("found FLOAT64 (1); convert it to FLOAT32 first");
        assertThatThrownBy(() -> BFloat16.toFloat32(manager, manager.create(new int[] {1})))
                .isInstanceOf(UnsupportedDtypeException.class)
                .hasMessageContaining("BFloat16.toFloat32")
                .hasMessageContaining("found INT32");
        assertThatThrownBy(() -> BFloat16.bits(manager.create(new float[] {1})))
                .isInstanceOf(UnsupportedDtypeException.class)
                .hasMessage(
                        "BFloat16.bits: expected bfloat16, found FLOAT32 (1); use BFloat16.of(...) first");
    }

    private void assertRoundedByTorch(float[] values) {
        assertRounded(values, BFloat16.bits(BFloat16.of(manager, manager.create(values))));
    }

    /** From the definition: of the two neighbours the nearer, and of equally near ones the even. */
    private static void assertRounded(float[] values, short[] rounded) {
        assertThat(rounded).hasSameSizeAs(values);
        for (int i = 0; i < values.length; i++) {
            float value = values[i];
            if (Float.isNaN(value)) {
                assertThat(Float.intBitsToFloat(rounded[i] << 16)).isNaN();
                continue;
            }
            int below = Float.floatToRawIntBits(value) >>> 16;
            if (!Float.isInfinite(value)) {
                double down = Math.abs(value) - magnitude(below);
                double up = magnitude(below + 1) - Math.abs(value);
                if (up < down || up == down && (below & 1) == 1) {
                    below++;
                }
            }
            if (rounded[i] != (short) below) {
                assertThat(rounded[i]).as("%s at %d", value, i).isEqualTo((short) below);
            }
        }
    }

    /** Infinity counts as 2^128, the value that would follow the largest. */
    private static double magnitude(int pattern) {
        int positive = pattern & 0x7fff;
        return positive == 0x7f80 ? 0x1p128 : Float.intBitsToFloat(positive << 16);
    }

    /** Of numbers that bfloat16 has. */
    private static short[] bitsOf(float... values) {
        short[] bits = new short[values.length];
        for (int i = 0; i < values.length; i++) {
            bits[i] = (short) (Float.floatToRawIntBits(values[i]) >>> 16);
        }
        return bits;
    }

    private static short[] allPatterns() {
        short[] patterns = new short[1 << 16];
        for (int i = 0; i < patterns.length; i++) {
            patterns[i] = (short) i;
        }
        return patterns;
    }

    private static float[] floats(List<Float> values) {
        float[] array = new float[values.size()];
        for (int i = 0; i < array.length; i++) {
            array[i] = values.get(i);
        }
        return array;
    }
}
