package io.peft4j.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Random;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

/** The hashes are of what torch 2.13 makes of the same bits. */
class FloatFormatsTest {

    private interface Narrowing {
        short apply(float value);
    }

    private interface Widening {
        float apply(short bits);
    }

    @Test
    void everyFloat16WidensAsTorchDoes() throws GeneralSecurityException {
        assertThat(hashOfAllWidened(FloatFormats::float16ToFloat))
                .isEqualTo("385ff5fe69182797cda5f1827e20cf423f4416bc9246f27d0eec27cac9039259");
    }

    @Test
    void everyBfloat16WidensAsTorchDoes() throws GeneralSecurityException {
        assertThat(hashOfAllWidened(FloatFormats::bfloat16ToFloat))
                .isEqualTo("f12e27efe34841dfd6391497b86f389096b03a376586e1d9691bba0a8de3980a");
    }

    @Test
    void aMillionFloatsNarrowAsTorchDoes() throws GeneralSecurityException {
        IntUnaryOperator same = bits -> bits;
        // exponents 96 to 135 cover float16's subnormals, normals and overflow
        IntUnaryOperator near = bits -> (bits & 0x80ffffff) | ((bits >>> 24) % 40 + 96) << 23;

        assertThat(hashOfNarrowed(FloatFormats::floatToFloat16, same))
                .isEqualTo("b0f9a794d69fb7ac9784affd8a3abfc153988beb59628f964a02d95cbf01c846");
        assertThat(hashOfNarrowed(FloatFormats::floatToBfloat16, same))
                .isEqualTo("8fdf20d4e4594d0fd175118b58b2e31631a04bafe266f76a81f5733fdbe7892b");
        assertThat(hashOfNarrowed(FloatFormats::floatToFloat16, near))
                .isEqualTo("f8bee29ff760cc486b7394246dcf936f9fce1dc80d786c55ca93a7654231cddc");
        assertThat(hashOfNarrowed(FloatFormats::floatToBfloat16, near))
                .isEqualTo("726dc3e1bdd7b84ef4a5c642bde83fb87b1ba92ffa57c817fe57fc042954945d");
    }

    @Test
    void every16BitPatternSurvivesTheRoundTripNaNsIncluded() {
        for (int i = 0; i < 65536; i++) {
            short bits = (short) i;
            assertThat(FloatFormats.floatToBfloat16(FloatFormats.bfloat16ToFloat(bits)))
                    .isEqualTo(bits);
            assertThat(FloatFormats.floatToFloat16(FloatFormats.float16ToFloat(bits)))
                    .isEqualTo(bits);
        }
    }

    @Test
    void narrowingPicksTheNearestAndTiesGoToTheEvenOne() {
        nearest(FloatFormats::floatToBfloat16, FloatFormats::bfloat16ToFloat, 0x7f7f);
        nearest(FloatFormats::floatToFloat16, FloatFormats::float16ToFloat, 0x7bff);
    }

    /** Checks the midpoint of every two positive neighbours, and the floats around it. */
    private static void nearest(Narrowing narrow, Widening widen, int largest) {
        for (int i = 0; i < largest; i++) {
            double low = widen.apply((short) i);
            double high = widen.apply((short) (i + 1));
            float middle = (float) ((low + high) / 2);
            if (middle != (low + high) / 2) {
                continue; // no tie among floats: bfloat16's smallest
            }
            short even = (short) (i + (i & 1));
            assertThat(narrow.apply(middle)).isEqualTo(even);
            assertThat(narrow.apply(Math.nextDown(middle))).isEqualTo((short) i);
            assertThat(narrow.apply(Math.nextUp(middle))).isEqualTo((short) (i + 1));
            assertThat(narrow.apply(-middle)).isEqualTo((short) (even | 0x8000));
        }
    }

    @Test
    void theLargestFloatsOverflowToInfinity() {
        assertThat(FloatFormats.floatToFloat16(65519.996f)).isEqualTo((short) 0x7bff);
        assertThat(FloatFormats.floatToFloat16(65520f)).isEqualTo((short) 0x7c00);
        assertThat(FloatFormats.floatToFloat16(-Float.MAX_VALUE)).isEqualTo((short) 0xfc00);
        assertThat(FloatFormats.floatToBfloat16(Float.MAX_VALUE)).isEqualTo((short) 0x7f80);
        assertThat(FloatFormats.floatToFloat16(Float.MIN_VALUE)).isZero();
        assertThat(FloatFormats.floatToFloat16(-0f)).isEqualTo((short) 0x8000);
    }

    @Test
    void anyNaNStaysANaN() {
        Random random = new Random(7);
        for (int i = 0; i < 10_000; i++) {
            int payload = 1 + random.nextInt(0x7fffff);
            float nan = Float.intBitsToFloat(0x7f800000 | payload | random.nextInt() << 31);
            assertThat(FloatFormats.bfloat16ToFloat(FloatFormats.floatToBfloat16(nan))).isNaN();
            assertThat(FloatFormats.float16ToFloat(FloatFormats.floatToFloat16(nan))).isNaN();
        }
    }

    private static String hashOfAllWidened(Widening widen) throws GeneralSecurityException {
        ByteBuffer bytes = ByteBuffer.allocate(4 * 65536).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 65536; i++) {
            bytes.putInt(Float.floatToIntBits(widen.apply((short) i)));
        }
        return sha256(bytes);
    }

    private static String hashOfNarrowed(Narrowing narrow, IntUnaryOperator map)
            throws GeneralSecurityException {
        int count = 1 << 20;
        ByteBuffer bytes = ByteBuffer.allocate(2 * count).order(ByteOrder.LITTLE_ENDIAN);
        int state = 1;
        for (int i = 0; i < count; i++) {
            state = state * 1664525 + 1013904223;
            float value = Float.intBitsToFloat(map.applyAsInt(state));
            if (!Float.isNaN(value)) {
                bytes.putShort(narrow.apply(value));
            }
        }
        return sha256(bytes);
    }

    private static String sha256(ByteBuffer bytes) throws GeneralSecurityException {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        digest.update(bytes.flip());
        return HexFormat.of().formatHex(digest.digest());
    }
}
