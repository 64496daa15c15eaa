package io.peft4j.files;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Resolves names that come from files (shard indexes, adapter names, archives) below a folder.
 *
 * <p>The rules are the same on every system, so that a name accepted on Linux is no attack on
 * Windows: {@code /} separates, and backslashes, drive letters, absolute paths, empty, {@code .}
 * and {@code ..} segments and NUL are refused. A symbolic link must end inside the folder too, with
 * one exception: Hugging Face's hub cache, where {@code snapshots/REVISION/file} links to {@code
 * blobs/HASH} of the same repository, and that possibly on to the cache's own {@code
 * blobs/HH/HASH}, which several repositories share.
 */
public final class SafePaths {

    private static final Pattern SHARED_BLOB =
            Pattern.compile("blobs/([0-9a-f]{2})/\\1[0-9a-f]{62}");

    private SafePaths() {}

    /**
     * Resolves a name below a folder.
     *
     * @param root the folder
     * @param name a relative name with {@code /} as separator; what it names need not exist
     * @return the path {@code root/name}
     * @throws UnsafePathException if the name or a link on its way leaves the folder
     * @throws IOException if links cannot be read
     */
    public static Path resolve(Path root, String name) throws IOException {
        String problem = problem(name);
        if (problem != null) {
            throw new UnsafePathException(root, name, problem);
        }
        Path path;
        try {
            path = root.resolve(name);
        } catch (InvalidPathException e) {
            throw new UnsafePathException(root, name, "a name that this system cannot hold");
        }
        if (Files.exists(root)) {
            checkLinks(root, name, path);
        }
        return path;
    }

    private static @Nullable String problem(String name) {
        if (name.isEmpty()) {
            return "an empty name";
        }
        if (name.indexOf('\0') >= 0) {
            return "a NUL character";
        }
        if (name.indexOf('\\') >= 0) {
            return "a backslash";
        }
        if (name.startsWith("/")) {
            return "an absolute path";
        }
        if (name.length() > 1 && name.charAt(1) == ':' && Character.isLetter(name.charAt(0))) {
            return "a drive letter";
        }
        for (String segment : name.split("/", -1)) {
            if (segment.isEmpty() || segment.equals(".") || segment.equals("..")) {
                return "the path segment \"" + segment + "\"";
            }
        }
        return null;
    }

    private static void checkLinks(Path root, String name, Path path) throws IOException {
        Path realRoot = root.toRealPath();
        Path existing = path;
        while (!Files.exists(existing, LinkOption.NOFOLLOW_LINKS)) {
            Path parent = existing.getParent();
            if (parent == null || existing.equals(root)) {
                return;
            }
            existing = parent;
        }
        if (!Files.exists(existing)) {
            throw new UnsafePathException(root, name, "a symbolic link that leads nowhere");
        }
        Path real = existing.toRealPath();
        if (!real.startsWith(realRoot) && !isHubBlob(realRoot, real)) {
            throw new UnsafePathException(root, name, "a symbolic link to " + real);
        }
    }

    private static boolean isHubBlob(Path realRoot, Path real) {
        Path snapshots = realRoot.getParent();
        Path repository = snapshots == null ? null : snapshots.getParent();
        if (snapshots == null || repository == null || !snapshots.endsWith("snapshots")) {
            return false;
        }
        return repository.resolve("blobs").equals(real.getParent())
                || isSharedBlob(repository.getParent(), real);
    }

    private static boolean isSharedBlob(@Nullable Path cache, Path real) {
        return cache != null
                && real.startsWith(cache)
                && SHARED_BLOB.matcher(slashes(cache.relativize(real))).matches();
    }

    private static String slashes(Path relative) {
        return relative.toString().replace('\\', '/');
    }
}
