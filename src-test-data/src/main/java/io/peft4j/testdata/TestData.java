package io.peft4j.testdata;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * Finds the fixtures of this module as files, whether the module is a folder of classes or a jar.
 *
 * <p>Readers that map their files need real paths, so a folder inside a jar is copied once per
 * process to a temporary directory.
 */
public final class TestData {

    private static final Map<String, Path> EXTRACTED = new ConcurrentHashMap<>();

    private TestData() {}

    /**
     * Returns a fixture's path.
     *
     * @param name the path below this module's resources, such as {@code "golden/openelm/model"}
     * @return an existing file or directory; treat it as read-only
     * @throws IllegalArgumentException if there is no such fixture
     */
    public static Path path(String name) {
        URL url = TestData.class.getClassLoader().getResource(name);
        if (url == null) {
            throw new IllegalArgumentException("no fixture named " + name);
        }
        try {
            URI uri = url.toURI();
            return "file".equals(uri.getScheme())
                    ? Path.of(uri)
                    : EXTRACTED.computeIfAbsent(name, n -> extract(uri, n));
        } catch (URISyntaxException e) {
            throw new IllegalStateException("unusable fixture address " + url, e);
        }
    }

    private static Path extract(URI jarEntry, String name) {
        try (FileSystem jar = FileSystems.newFileSystem(jarEntry, Map.of())) {
            Path source = jar.getPath(name);
            Path root = Files.createTempDirectory("peft4j-data");
            root.toFile().deleteOnExit();
            Path target = root.resolve(source.getFileName().toString());
            try (Stream<Path> files = Files.walk(source)) {
                for (Path file : (Iterable<Path>) files::iterator) {
                    Path copy = target.resolve(source.relativize(file).toString());
                    Files.copy(file, copy);
                    copy.toFile().deleteOnExit();
                }
            }
            return target;
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "cannot copy the fixture " + name + " out of its jar", e);
        }
    }
}
