package io.peft4j.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where the token goes, and where a redirect may lead. */
final class HubRedirectTest extends HubTestCase {

    @Test
    void theTokenGoesToTheHubAndNowhereElse() throws IOException {
        fetch();
        List<LoopbackHub.Request> toHub =
                server.requests.stream().filter(r -> r.host().equals("hub")).toList();
        List<LoopbackHub.Request> toStorage =
                server.requests.stream().filter(r -> r.host().equals("storage")).toList();
        assertThat(toHub).allMatch(r -> r.header("Authorization").equals("Bearer " + TOKEN));
        assertThat(toStorage).hasSizeGreaterThan(1);
        assertThat(toStorage).noneMatch(r -> r.headers().toString().contains(TOKEN));
        assertThat(toStorage).noneMatch(r -> r.path().contains(TOKEN));
    }

    @Test
    void aRedirectWithinTheHubKeepsTheToken() throws IOException {
        server.fault(
                "listing",
                LoopbackHub.status(
                        307, "Location", "/api/models/org/name/revision/" + LoopbackHub.COMMIT));
        fetch();
        assertThat(server.requests.get(1).path()).endsWith(LoopbackHub.COMMIT);
        assertThat(server.requests.get(1).header("Authorization")).isEqualTo("Bearer " + TOKEN);
    }

    @Test
    void aListingOnAnotherHostIsAskedForWithoutTheToken() throws IOException {
        try (LoopbackHub other = new LoopbackHub()) {
            other.files.putAll(server.files);
            server.fault(
                    "listing",
                    LoopbackHub.status(
                            302, "Location", other.url() + "/api/models/org/name/revision/main"));
            fetch();
            assertThat(other.requests).hasSize(1);
            assertThat(other.requests.get(0).headers().toString()).doesNotContain(TOKEN);
        }
    }

    @Test
    void aLinkToTheStorageThatRanOutIsAskedForAgain() throws IOException {
        server.fault(
                WEIGHTS,
                (exchange, body) -> {
                    server.expireStorageUrls();
                    return false;
                });
        assertThat(fetch().resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    }

    @Test
    void redirectsWithoutEndAreGivenUp() {
        LoopbackHub.Fault loop =
                LoopbackHub.status(302, "Location", "/api/models/org/name/revision/main");
        for (int i = 0; i < 20; i++) {
            server.fault("listing", loop);
        }
        assertThatThrownBy(this::fetch).hasMessageContaining("at most 10 redirects");
    }

    @Test
    void aSecureConnectionIsNotLeftForAnOpenOne() throws HubException {
        URI secure = URI.create("https://hub.example/a/b?token=1");
        for (String location :
                List.of("http://hub.example/a", "file:///etc/passwd", "", "ftp://x/y", "http:")) {
            assertThatThrownBy(() -> HubHttp.target(secure, location))
                    .as(location)
                    .isInstanceOf(HubException.class)
                    .hasMessageContaining("https://hub.example/a/b: ")
                    .hasMessageNotContaining("token=1");
        }
        assertThat(HubHttp.target(secure, "../c")).isEqualTo(URI.create("https://hub.example/c"));
        assertThat(HubHttp.target(URI.create("http://a/"), "https://b/c").getHost()).isEqualTo("b");
    }

    @Test
    void theOriginIsSchemeHostAndPort() {
        HubHttp http =
                new HubHttp(
                        HubHttp.client(Duration.ofSeconds(1), null),
                        null,
                        URI.create("https://Hub.example/path"),
                        TOKEN,
                        Duration.ofSeconds(1),
                        new HubRepository("a/b", "main"));
        assertThat(http.isEndpoint(URI.create("https://hub.example:443/other"))).isTrue();
        assertThat(http.isEndpoint(URI.create("https://hub.example:444/other"))).isFalse();
        assertThat(http.isEndpoint(URI.create("http://hub.example/other"))).isFalse();
        assertThat(http.isEndpoint(URI.create("https://cdn.hub.example/"))).isFalse();
    }
}
