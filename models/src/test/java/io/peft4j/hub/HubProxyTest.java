package io.peft4j.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HubProxyTest extends HubTestCase {

    private LoopbackProxy proxy;

    @BeforeEach
    void startProxy() throws IOException {
        proxy = new LoopbackProxy();
    }

    @AfterEach
    void stopProxy() throws IOException {
        proxy.close();
    }

    private Path fetch(String endpoint, String... variables) throws IOException {
        return Hub.builder(new HubEnvironment(map(variables), directory.toString()))
                .optEndpoint(endpoint)
                .optCache(cache)
                .optToken(TOKEN)
                .optTimeout(Duration.ofSeconds(5))
                .optFirstWait(Duration.ofMillis(1))
                .build()
                .fetchModel(NAME);
    }

    private static Map<String, String> map(String... variables) {
        Map<String, String> map = new HashMap<>();
        for (int i = 0; i < variables.length; i += 2) {
            map.put(variables[i], variables[i + 1]);
        }
        return map;
    }

    private static boolean isProxied(String uri, String... variables) {
        return HubProxies.of(map(variables)).orElseThrow().endpoint(URI.create(uri)) != null;
    }

    @Test
    void allRequestsGoThroughTheProxyThoseToTheStorageToo() throws IOException {
        Path model = fetch(server.url(), "HTTP_PROXY", proxy.address());

        assertThat(model.resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
        assertThat(proxy.heads).hasSameSizeAs(server.requests);
        assertThat(proxy.heads).anyMatch(head -> head.contains("/store/" + WEIGHTS));
    }

    @Test
    void credentialsGoToTheProxyAndTheTokenToTheHub() throws IOException {
        proxy.wantsCredentials = true;

        fetch(server.url(), "http_proxy", "http://me:p%40ss@" + proxy.address());

        assertThat(proxy.heads)
                .isNotEmpty()
                .allMatch(head -> head.contains("Proxy-Authorization: Basic bWU6cEBzcw==\r\n"));
        assertThat(server.requests).isNotEmpty();
        assertThat(server.requests)
                .allMatch(request -> request.header("Proxy-Authorization").isEmpty());
        assertThat(server.requests("storage", "GET", WEIGHTS))
                .isNotEmpty()
                .allMatch(request -> request.header("Authorization").isEmpty());
    }

    @Test
    void httpsGoesThroughATunnelAndARefusalTellsNoPassword() {
        assertThatThrownBy(
                        () ->
                                fetch(
                                        "https://hub.example:8443",
                                        "HTTPS_PROXY",
                                        "http://me:p%40ss@" + proxy.address()))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("the proxy " + proxy.address() + " of HTTPS_PROXY answered")
                .hasMessageContaining("403")
                .hasMessageNotContaining("me:")
                .hasMessageNotContaining("ss@");

        assertThat(proxy.heads).hasSize(1);
        assertThat(proxy.heads.get(0))
                .startsWith("CONNECT hub.example:8443 HTTP/1.1\r\n")
                .doesNotContain(TOKEN);
    }

    @Test
    void aProxyThatWantsCredentialsIsNamed() {
        proxy.wantsCredentials = true;
        assertThatThrownBy(() -> fetch(server.url(), "HTTP_PROXY", proxy.address()))
                .isInstanceOf(HubException.class)
                .hasMessageContaining(
                        "the proxy "
                                + proxy.address()
                                + " of HTTP_PROXY asks for other credentials (HTTP 407)");
        assertThat(proxy.heads).hasSize(1);
    }

    @Test
    void aProxyThatIsNotThereIsNamed() throws IOException {
        String nobody;
        try (ServerSocket free = new ServerSocket(0)) {
            nobody = "127.0.0.1:" + free.getLocalPort();
        }
        assertThatThrownBy(
                        () -> fetch(server.url(), "HTTP_PROXY", "http://me:secret@" + nobody + "/"))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("cannot connect (through the proxy " + nobody)
                .hasMessageContaining("check the network and HTTP_PROXY")
                .hasMessageNotContaining("secret");
    }

    @Test
    void anExceptedHostIsAskedDirectly() throws IOException {
        fetch(server.url(), "HTTP_PROXY", proxy.address(), "NO_PROXY", "localhost, 127.0.0.0/8");
        assertThat(proxy.heads).isEmpty();
        assertThat(server.requests).isNotEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    huggingface.co       | https://huggingface.co/a           | false
                    huggingface.co       | https://cdn.huggingface.co         | false
                    huggingface.co       | https://nothuggingface.co          | true
                    .huggingface.co      | https://huggingface.co             | true
                    .huggingface.co      | https://cdn.huggingface.co         | false
                    *.huggingface.co     | https://cdn.huggingface.co         | false
                    HuggingFace.co       | https://HUGGINGFACE.CO             | false
                    huggingface.co:443   | https://huggingface.co             | false
                    huggingface.co:8443  | https://huggingface.co             | true
                    a,,  *               | https://huggingface.co             | false
                    10.0.0.1             | http://10.0.0.1:8080               | false
                    10.0.0.1             | http://110.0.0.1                   | true
                    10.1.0.0/16          | http://10.1.200.3                  | false
                    10.1.0.0/16          | http://10.2.200.3                  | true
                    10.1.0.0/16          | http://example.com                 | true
                    ::1                  | http://[::1]:80                    | false
                    [::1]:81             | http://[::1]:80                    | true
                    fe80::/10            | http://[fe81::2]                   | false
                    localhost            | http://localhost:1                 | false
                    localhost            | http://my.localhost                | true
                    """)
    void exceptionsAreHostsDomainsAddressesAndNetworks(
            String exceptions, String uri, boolean proxied) {
        assertThat(isProxied(uri, "ALL_PROXY", "proxy:3128", "NO_PROXY", exceptions))
                .isEqualTo(proxied);
    }

    @Test
    void eachSchemeHasItsVariableAndSmallLettersWin() {
        assertThat(isProxied("https://a", "HTTP_PROXY", "p:1")).isFalse();
        assertThat(isProxied("http://a", "HTTPS_PROXY", "p:1")).isFalse();
        HubProxies both =
                HubProxies.of(map("HTTPS_PROXY", "big:1", "https_proxy", "small", "ALL_PROXY", "x"))
                        .orElseThrow();
        assertThat(both.endpoint(URI.create("https://a"))).hasToString("small:80 of HTTPS_PROXY");
        assertThat(both.endpoint(URI.create("http://a"))).hasToString("x:80 of ALL_PROXY");
        assertThat(HubProxies.of(map("HTTPS_PROXY", "p:1", "https_proxy", ""))).isEmpty();
        assertThat(HubProxies.of(Map.of())).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"socks5://p:1", "https://me:secret@p:1", "http://me:secret@p:1:2", "a b"})
    void aProxyThatCannotBeIsRefusedWithoutItsPassword(String url) {
        assertThatThrownBy(() -> HubProxies.of(map("HTTPS_PROXY", url)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("HTTPS_PROXY: expected a proxy such as http://host:port")
                .hasMessageNotContaining("secret")
                .hasNoCause();
    }
}
