package io.peft4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Raw bits between arrays and the outside, in pieces. */
class BFloat16TransferTest {

    private static final int CHUNK = ElementTransfer.IN_PLACE_BYTES / Short.BYTES;

    @Test
    void severalPiecesMakeOneArrayAndComeOutAgain() throws IOException {
        short[] bits = randomBits(2 * CHUNK + 5);
        byte[] file = littleEndian(bits);
        try (NDManager manager = NDManager.newBaseManager()) {
            List<Long> offsets = new ArrayList<>();
            NDArray array =
                    BFloat16.read(
                            manager,
                            new Shape(bits.length),
                            (firstByte, destination) -> {
                                offsets.add(firstByte);
                                assertThat(destination.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
                                destination.put(file, (int) firstByte, destination.remaining());
                            });
            assertThat(offsets).containsExactly(0L, 2L * CHUNK, 4L * CHUNK);
            assertThat(BFloat16.bits(array)).isEqualTo(bits);

            ByteArrayOutputStream written = new ByteArrayOutputStream();
            BFloat16.write(array, Channels.newChannel(written));
            assertThat(written.toByteArray()).isEqualTo(file);
        }
    }

    @Test
    void aViewIsWrittenInItsOwnOrder() throws IOException {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray array = BFloat16.ofBits(manager, new short[] {1, 2, 3, 4}, new Shape(2, 2));
            ByteArrayOutputStream written = new ByteArrayOutputStream();
            BFloat16.write(array.transpose(), Channels.newChannel(written));
            assertThat(written.toByteArray()).containsExactly(1, 0, 3, 0, 2, 0, 4, 0);
        }
    }

    @Test
    void aChannelThatTakesOneByteAtATimeGetsThemAll() throws IOException {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray array = BFloat16.ofBits(manager, new short[] {0x0102, 3}, new Shape(2));
            ByteArrayOutputStream written = new ByteArrayOutputStream();
            BFloat16.write(
                    array,
                    new java.nio.channels.WritableByteChannel() {
                        @Override
                        public int write(ByteBuffer source) {
                            written.write(source.get());
                            return 1;
                        }

                        @Override
                        public boolean isOpen() {
                            return true;
                        }

                        @Override
                        public void close() {}
                    });
            assertThat(written.toByteArray()).containsExactly(2, 1, 3, 0);
        }
    }

    @Test
    void aSourceThatEndsEarlyIsNamedAndNothingStays() {
        try (NDManager manager = NDManager.newBaseManager()) {
            assertThatThrownBy(
                            () ->
                                    BFloat16.read(
                                            manager,
                                            new Shape(2, 3),
                                            (firstByte, destination) -> destination.put((byte) 1)))
                    .isInstanceOf(EOFException.class)
                    .hasMessage(
                            "expected 12 bytes from byte 0 of a bfloat16 tensor (2, 3), found 1");
            assertThatThrownBy(
                            () ->
                                    BFloat16.read(
                                            manager,
                                            new Shape(2),
                                            (firstByte, destination) -> {
                                                throw new IOException("the disk is gone");
                                            }))
                    .isInstanceOf(IOException.class)
                    .hasMessage("the disk is gone");
            assertThat(manager.getManagedArrays()).isEmpty();
        }
    }

    @Test
    void nothingButTheResultsStaysWithTheManagers() throws IOException {
        try (NDManager sources = NDManager.newBaseManager();
                NDManager owner = NDManager.newBaseManager()) {
            NDArray x = sources.create(new float[] {1, 2, 3});
            NDArray rounded = BFloat16.of(sources, x);
            int before = sources.getManagedArrays().size();
            List<NDArray> results =
                    List.of(
                            BFloat16.of(owner, x),
                            BFloat16.toFloat32(owner, rounded),
                            BFloat16.zeros(owner, new Shape(3)),
                            BFloat16.ofBits(owner, new short[] {1, 2, 3}, new Shape(3)),
                            Tensors.clone(owner, rounded));
            BFloat16.bits(rounded);
            BFloat16.write(rounded, Channels.newChannel(new ByteArrayOutputStream()));
            BFloat16.isBFloat16(rounded);
            Tensors.copy(rounded, results.get(2));
            assertThat(results).allSatisfy(y -> assertThat(y.getManager()).isSameAs(owner));
            assertThat(owner.getManagedArrays()).hasSameSizeAs(results);
            assertThat(sources.getManagedArrays()).hasSize(before);
            results.forEach(NDArray::close);
            assertThat(owner.getManagedArrays()).isEmpty();
        }
    }

    @Test
    void arraysKeepTheirMemoryWhenJavaCollectsItsOwn() {
        short[] bits = randomBits(1000);
        try (NDManager manager = NDManager.newBaseManager()) {
            List<NDArray> arrays = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                NDArray made = BFloat16.ofBits(manager, bits, new Shape(bits.length));
                arrays.add(Tensors.clone(manager, made));
                arrays.add(made);
                try (NDManager scope = manager.newSubManager()) {
                    NDArray inJava = scope.create(new float[bits.length]);
                    NDArray zeros = BFloat16.of(manager, inJava);
                    Tensors.copy(made, zeros);
                    arrays.add(zeros);
                }
            }
            for (int i = 0; i < 20; i++) {
                System.gc();
                for (int k = 0; k < 300; k++) { // takes what was freed
                    ByteBuffer taken = ByteBuffer.allocateDirect(2000 + 1000 * (k % 3));
                    while (taken.remaining() >= 8) {
                        taken.putLong(-1L);
                    }
                }
            }
            assertThat(arrays).allSatisfy(a -> assertThat(BFloat16.bits(a)).isEqualTo(bits));
        }
    }

    private static short[] randomBits(int count) {
        Random random = new Random(3);
        short[] bits = new short[count];
        for (int i = 0; i < count; i++) {
            bits[i] = (short) random.nextInt();
        }
        return bits;
    }

    private static byte[] littleEndian(short[] bits) {
        ByteBuffer bytes = ByteBuffer.allocate(2 * bits.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asShortBuffer().put(bits);
        return bytes.array();
    }
}
