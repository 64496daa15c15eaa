package io.peft4j.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafePathsTest {

    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "model-00001-of-00002.safetensors",
                "adapter/model.safetensors",
                "..name",
                "a..b",
                "ünïcode 東京"
            })
    void ordinaryNamesResolve(String name) throws IOException {
        assertThat(SafePaths.resolve(folder, name)).isEqualTo(folder.resolve(name));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".",
                "..",
                "../x",
                "a/../../x",
                "a/..",
                "a//b",
                "a/",
                "./a",
                "/etc/passwd",
                "//host/share",
                "C:\\x",
                "C:x",
                "c:/x",
                "a\\b",
                "..\\x",
                "a\0b"
            })
    void namesThatLeaveTheFolderAreRefused(String name) {
        assertThatThrownBy(() -> SafePaths.resolve(folder, name))
                .isInstanceOf(UnsafePathException.class)
                .hasMessageContaining("expected a relative path inside that folder, found");
    }

    @Test
    void aLinkOutOfTheFolderIsRefused() throws IOException {
        Path root = Files.createDirectory(folder.resolve("root"));
        Path secret = Files.writeString(folder.resolve("secret"), "x");
        Files.createSymbolicLink(root.resolve("shard"), secret);
        Files.createSymbolicLink(root.resolve("up"), folder);
        Files.createSymbolicLink(root.resolve("dangling"), folder.resolve("nothing"));

        for (String name : new String[] {"shard", "up/secret", "up/nothing", "dangling"}) {
            assertThatThrownBy(() -> SafePaths.resolve(root, name))
                    .as(name)
                    .isInstanceOf(UnsafePathException.class)
                    .hasMessageContaining("symbolic link");
        }
    }

    @Test
    void aLinkWithinTheFolderIsFollowed() throws IOException {
        Files.writeString(folder.resolve("real"), "x");
        Files.createSymbolicLink(folder.resolve("alias"), Path.of("real"));

        assertThat(SafePaths.resolve(folder, "alias")).hasContent("x");
    }

    @Test
    void theHubCachesLinksToItsBlobsAreFollowed() throws IOException {
        Path repository = folder.resolve("models--apple--OpenELM-270M");
        Path snapshot = Files.createDirectories(repository.resolve("snapshots/abc"));
        Path blobs = Files.createDirectory(repository.resolve("blobs"));
        Files.writeString(blobs.resolve("123"), "weights");
        Files.createSymbolicLink(snapshot.resolve("model.safetensors"), Path.of("../../blobs/123"));
        Files.writeString(repository.resolve("refs"), "x");
        Files.createSymbolicLink(snapshot.resolve("other"), Path.of("../../refs"));

        assertThat(SafePaths.resolve(snapshot, "model.safetensors")).hasContent("weights");
        assertThatThrownBy(() -> SafePaths.resolve(snapshot, "other"))
                .isInstanceOf(UnsafePathException.class);
    }

    @Test
    void theHubCachesLinksToBlobsThatRepositoriesShareAreFollowed() throws IOException {
        String hash = "ab".repeat(32);
        Path repository = folder.resolve("models--org--name");
        Path snapshot = Files.createDirectories(repository.resolve("snapshots/abc"));
        Path blobs = Files.createDirectory(repository.resolve("blobs"));
        Path shared = Files.createDirectories(folder.resolve("blobs/ab"));
        Files.writeString(shared.resolve(hash), "weights");
        Files.writeString(shared.resolve("notes"), "x");
        Files.createSymbolicLink(blobs.resolve("1"), Path.of("../../blobs/ab").resolve(hash));
        Files.createSymbolicLink(snapshot.resolve("model.safetensors"), Path.of("../../blobs/1"));
        Files.createSymbolicLink(snapshot.resolve("other"), Path.of("../../../blobs/ab/notes"));

        assertThat(SafePaths.resolve(snapshot, "model.safetensors")).hasContent("weights");
        assertThatThrownBy(() -> SafePaths.resolve(snapshot, "other"))
                .isInstanceOf(UnsafePathException.class);
    }

    @Test
    void aFolderReachedThroughALinkIsStillAFolder() throws IOException {
        Path real = Files.createDirectory(folder.resolve("real"));
        Files.writeString(real.resolve("a"), "x");
        Path link = Files.createSymbolicLink(folder.resolve("link"), real);

        assertThat(SafePaths.resolve(link, "a")).hasContent("x");
    }
}
