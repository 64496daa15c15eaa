package io.peft4j.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.safetensors.SafetensorsException.Reason;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PickleRefusalTest {

    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {"m.bin", "m.pt", "m.pth", "m.ckpt", "m.pkl", "M.BIN", "a.safetensors.pt"})
    void aPicklesNameIsEnoughWhateverItHolds(String name) throws IOException {
        Path path = Files.write(folder.resolve(name), TestFiles.file("{}", 0));

        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOfSatisfying(
                        SafetensorsException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.PICKLE))
                .hasMessageContaining(
                        "safetensors.torch.save_file(torch.load(\""
                                + name
                                + "\", map_location=\"cpu\", weights_only=True), \"");
    }

    @Test
    void aPicklesContentIsEnoughWhateverItsName() throws IOException {
        byte[] zip = Arrays.copyOf(new byte[] {'P', 'K', 3, 4}, 100);
        byte[] protocol2 = "\u0080\u0002}q\u0000(X".getBytes(StandardCharsets.ISO_8859_1);
        byte[] protocol5 = {(byte) 0x80, 5, (byte) 0x95};
        for (byte[] content : new byte[][] {zip, protocol2, protocol5}) {
            Path path = Files.write(folder.resolve("model.safetensors"), content);

            assertThatThrownBy(() -> SafetensorsFile.open(path))
                    .isInstanceOfSatisfying(
                            SafetensorsException.class,
                            e -> assertThat(e.reason()).isEqualTo(Reason.PICKLE))
                    .hasMessageContaining("converted.safetensors");
        }
    }

    @Test
    void aHeaderLengthThatLooksLikeAPickleIsStillSafetensors() throws IOException {
        // 0x0280 bytes of header: the file begins with 80 02, as pickle protocol 2 does
        byte[] header = Arrays.copyOf("{}".getBytes(StandardCharsets.UTF_8), 0x280);
        Arrays.fill(header, 2, header.length, (byte) ' ');
        Path path = Files.write(folder.resolve("model.safetensors"), TestFiles.file(header, 0));

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.names()).isEmpty();
            assertThat(file.metadata()).isEqualTo(Map.of());
        }
    }
}
