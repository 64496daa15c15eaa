package io.peft4j.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Repositories' names, the environment's variables, and ranges. */
final class HubNamesTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "apple/OpenELM-270M",
                "a/b",
                "Org_1/na.me-2@main",
                "a/b@refs/pr/4",
                "a/b@v1.0",
                "a/b@0123456789abcdef0123456789abcdef01234567"
            })
    void aRepositoryIsNamed(String name) {
        assertThat(Hub.isRepositoryName(name)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "name",
                "/a/b",
                "./a",
                "../b",
                "a/b/c",
                "a//b",
                "a/b--c",
                "a/b..c",
                "a/.b",
                "a/b.git",
                "a/b@",
                "a/b@../x",
                "a/b@/x",
                "a/b@x//y",
                "a/b@x\\y",
                "-a/b",
                "a/é",
                "a/b@x?y",
                "C:\\a/b",
                "~/model",
                "a/b ",
                "a/b@x\n"
            })
    void anythingElseIsNoRepository(String name) {
        assertThat(Hub.isRepositoryName(name)).isFalse();
        assertThatThrownBy(() -> HubRepository.parse(name))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("org/name@revision");
    }

    @Test
    void theCacheIsWhereHuggingfaceHubHasIt() {
        assertThat(cache(Map.of())).isEqualTo("/home/me/.cache/huggingface/hub");
        assertThat(cache(Map.of("XDG_CACHE_HOME", "/c"))).isEqualTo("/c/huggingface/hub");
        assertThat(cache(Map.of("HF_HOME", "~/hf", "XDG_CACHE_HOME", "/c")))
                .isEqualTo("/home/me/hf/hub");
        assertThat(cache(Map.of("HF_HOME", "/hf", "HUGGINGFACE_HUB_CACHE", "/old")))
                .isEqualTo("/old");
        assertThat(cache(Map.of("HF_HUB_CACHE", "$DISK/x/${DISK}/$NONE", "DISK", "d")))
                .isEqualTo("d/x/d/$NONE");
    }

    private static String cache(Map<String, String> variables) {
        return new HubEnvironment(variables, "/home/me").cache().toString();
    }

    @Test
    void theTokenIsTheEnvironments() throws IOException {
        assertThat(token(Map.of("HF_TOKEN", " hf_a\n", "HUGGING_FACE_HUB_TOKEN", "hf_b")))
                .isEqualTo("hf_a");
        assertThat(token(Map.of("HF_TOKEN", "", "HUGGING_FACE_HUB_TOKEN", "hf_b")))
                .isEqualTo("hf_b");
        assertThat(token(Map.of("HF_TOKEN", "hf_a", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes")))
                .isNull();
        assertThat(token(Map.of())).isNull();
        assertThatThrownBy(() -> token(Map.of("HF_TOKEN", "hf_a\r\nX: y")))
                .hasMessageContaining("HF_TOKEN")
                .hasMessageNotContaining("hf_a");
    }

    private static String token(Map<String, String> variables) throws IOException {
        return new HubEnvironment(variables, "/nowhere").token();
    }

    @Test
    void offlineIsWhatTheVariablesCallTrue() {
        assertThat(offline("1")).isTrue();
        assertThat(offline("true")).isTrue();
        assertThat(offline("0")).isFalse();
        assertThat(offline("")).isFalse();
        assertThat(new HubEnvironment(Map.of("TRANSFORMERS_OFFLINE", "1"), "/").isOffline())
                .isTrue();
    }

    private static boolean offline(String value) {
        return new HubEnvironment(Map.of("HF_HUB_OFFLINE", value), "/").isOffline();
    }

    @ParameterizedTest
    @ValueSource(strings = {"huggingface.co", "ftp://x", "http://", "not a url"})
    void anEndpointIsAUrl(String url) {
        assertThatThrownBy(() -> HubEnvironment.endpoint(url))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "HF_ENDPOINT: expected a URL such as https://huggingface.co, found " + url);
        assertThat(HubEnvironment.endpoint("https://mirror/hub//"))
                .hasToString("https://mirror/hub");
    }

    @Test
    void aCommitIsAWholeHash() throws HubException {
        assertThat(HubRepository.parse("a/b@" + "0".repeat(40)).isCommit()).isTrue();
        assertThat(HubRepository.parse("a/b@0123456").isCommit()).isFalse();
        assertThat(HubRepository.parse("org/name@v1")).hasToString("org/name@v1");
        assertThat(HubRepository.parse("org/name")).hasToString("org/name");
        assertThat(Path.of(HubRepository.parse("org/name").folder()))
                .isEqualTo(Path.of("models--org--name"));
    }

    @Test
    void gapsAreWhatNoRangeCovers() {
        assertThat(ByteRange.gaps(List.of(), 10, 4))
                .containsExactly(new ByteRange(0, 4), new ByteRange(4, 8), new ByteRange(8, 10));
        assertThat(
                        ByteRange.gaps(
                                List.of(
                                        new ByteRange(5, 7),
                                        new ByteRange(1, 3),
                                        new ByteRange(2, 4)),
                                10,
                                100))
                .containsExactly(new ByteRange(0, 1), new ByteRange(4, 5), new ByteRange(7, 10));
        assertThat(ByteRange.gaps(List.of(new ByteRange(0, 10)), 10, 4)).isEmpty();
        assertThat(ByteRange.gaps(List.of(), 0, 4)).isEmpty();
    }
}
