package io.peft4j.hub;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What the environment says about the hub, in the variables that {@code huggingface_hub} reads. */
final class HubEnvironment {

    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");
    private static final Pattern VARIABLE = Pattern.compile("\\$(\\w+|\\{\\w+\\})");
    private static final Pattern HEADER_SAFE = Pattern.compile("[\\x21-\\x7e]+");
    private static final int LONGEST_TOKEN_FILE = 10_000;

    private final Map<String, String> variables;
    private final String userHome;

    HubEnvironment(Map<String, String> variables, String userHome) {
        this.variables = variables;
        this.userHome = userHome;
    }

    static HubEnvironment ofProcess() {
        return new HubEnvironment(System.getenv(), System.getProperty("user.home", "."));
    }

    URI endpoint() {
        return endpoint(value("HF_ENDPOINT", "https://huggingface.co"));
    }

    static URI endpoint(String text) {
        try {
            URI uri = new URI(text.replaceAll("/+$", ""));
            if (uri.getHost() != null
                    && ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()))) {
                return uri;
            }
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(
                    "HF_ENDPOINT: expected a URL such as https://huggingface.co, found " + text, e);
        }
        throw new IllegalArgumentException(
                "HF_ENDPOINT: expected a URL such as https://huggingface.co, found " + text);
    }

    private Path home() {
        String given = variables.get("HF_HOME");
        return given != null
                ? path(given)
                : path(value("XDG_CACHE_HOME", userHome + "/.cache")).resolve("huggingface");
    }

    Path cache() {
        String given = variables.get("HF_HUB_CACHE");
        if (given == null) {
            given = variables.get("HUGGINGFACE_HUB_CACHE");
        }
        return given != null ? path(given) : home().resolve("hub");
    }

    /** The token of the environment, else of the file that {@code hf auth login} writes. */
    @Nullable String token() throws IOException {
        if (isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            return null;
        }
        for (String name : new String[] {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
            String token = variables.getOrDefault(name, "").strip();
            if (!token.isEmpty()) {
                return checkToken(token, name);
            }
        }
        String given = variables.get("HF_TOKEN_PATH");
        Path file = given != null ? path(given) : home().resolve("token");
        try (var in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(LONGEST_TOKEN_FILE);
            String token = new String(bytes, StandardCharsets.UTF_8).strip();
            return token.isEmpty() ? null : checkToken(token, file.toString());
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** Refuses what cannot stand in a header, without showing it. */
    static String checkToken(String token, String source) {
        if (!HEADER_SAFE.matcher(token).matches()) {
            throw new IllegalArgumentException(
                    source + ": expected a token such as hf_..., found other characters in it");
        }
        return token;
    }

    boolean isOffline() {
        String given = value("HF_HUB_OFFLINE", "");
        return given.isEmpty() ? isTrue("TRANSFORMERS_OFFLINE") : isTrue("HF_HUB_OFFLINE");
    }

    boolean hasSymbolicLinks() {
        return !isTrue("HF_HUB_DISABLE_SYMLINKS");
    }

    /** How long an answer, or the next bytes of one, may take. */
    Duration timeout() {
        String text = value("HF_HUB_DOWNLOAD_TIMEOUT", "10");
        try {
            int seconds = Integer.parseInt(text.strip());
            if (seconds > 0) {
                return Duration.ofSeconds(seconds);
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "HF_HUB_DOWNLOAD_TIMEOUT: expected seconds, found " + text, e);
        }
        throw new IllegalArgumentException(
                "HF_HUB_DOWNLOAD_TIMEOUT: expected seconds above 0, found " + text);
    }

    /** The proxies of the usual variables, or null to leave them to the JVM's settings. */
    @Nullable HubProxies proxies() {
        return HubProxies.of(variables).orElse(null);
    }

    private boolean isTrue(String name) {
        return TRUE.contains(value(name, "").toUpperCase(Locale.ROOT));
    }

    private String value(String name, String otherwise) {
        String value = variables.get(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    /** Expands {@code ~} and variables, as Python's expanduser and expandvars do. */
    private Path path(String text) {
        String expanded = text;
        if (text.equals("~") || text.startsWith("~/")) {
            expanded = userHome + text.substring(1);
        }
        return Path.of(VARIABLE.matcher(expanded).replaceAll(this::expand));
    }

    private String expand(MatchResult found) {
        String name = found.group(1).replaceAll("[{}]", "");
        return Matcher.quoteReplacement(variables.getOrDefault(name, found.group()));
    }
}
