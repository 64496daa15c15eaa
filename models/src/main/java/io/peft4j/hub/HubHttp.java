package io.peft4j.hub;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.SSLHandshakeException;
import org.jspecify.annotations.Nullable;

/**
 * Sends requests to the hub and to the hosts that it sends us to.
 *
 * <p>Redirects are followed here and not by the client, since the client would send the token
 * along: the token goes to the endpoint's own scheme, host and port and nowhere else.
 */
final class HubHttp {

    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
    // how the JDK's client tells that a proxy would not connect
    private static final String TUNNEL_REFUSED = "Tunnel failed, got:";
    private static final int MOST_REDIRECTS = 10;
    private static final String USER_AGENT = "peft4j; java/" + Runtime.version().feature();

    private final HttpClient client;
    private final @Nullable HubProxies proxies;
    private final URI endpoint;
    private final @Nullable String token;
    private final Duration timeout;
    private final HubRepository repository;
    private volatile boolean reached;

    HubHttp(
            HttpClient client,
            @Nullable HubProxies proxies,
            URI endpoint,
            @Nullable String token,
            Duration timeout,
            HubRepository repository) {
        this.client = client;
        this.proxies = proxies;
        this.endpoint = endpoint;
        this.token = token;
        this.timeout = timeout;
        this.repository = repository;
    }

    static HttpClient client(Duration timeout, @Nullable HubProxies proxies) {
        HttpClient.Builder builder =
                HttpClient.newBuilder()
                        .followRedirects(HttpClient.Redirect.NEVER)
                        // parallel ranges are parallel connections; HTTP/2 would make them one
                        .version(HttpClient.Version.HTTP_1_1)
                        .connectTimeout(timeout);
        if (proxies != null) {
            builder.proxy(proxies);
        }
        return builder.build();
    }

    URI endpoint() {
        return endpoint;
    }

    /**
     * Gets what a URI leads to.
     *
     * @param uri where to begin
     * @param headers headers to send, also to where redirects lead
     * @return the answer, with a status from 200 to 299; close its body
     * @throws TransientFailure if another attempt may help
     * @throws HubException if it will not
     */
    HttpResponse<ResponseBody> get(URI uri, Map<String, String> headers) throws IOException {
        URI at = uri;
        for (int hop = 0; hop <= MOST_REDIRECTS; hop++) {
            HttpResponse<ResponseBody> response = exchange("GET", at, headers);
            if (!isRedirect(response)) {
                return response;
            }
            response.body().close();
            at = target(at, response);
        }
        throw tooManyRedirects(uri);
    }

    static HubException tooManyRedirects(URI uri) {
        return new HubException(
                HubException.Reason.PROTOCOL,
                shown(uri) + ": expected at most " + MOST_REDIRECTS + " redirects, found more");
    }

    static boolean isRedirect(HttpResponse<?> response) {
        return REDIRECTS.contains(response.statusCode());
    }

    /** Sends one request; the answer's status is from 200 to 299 or a redirect. */
    HttpResponse<ResponseBody> exchange(String method, URI uri, Map<String, String> headers)
            throws IOException {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(uri)
                        .timeout(timeout)
                        .header("User-Agent", USER_AGENT)
                        // compressed bytes would have another length and no ranges
                        .header("Accept-Encoding", "identity");
        if (method.equals("GET")) {
            request.GET();
        } else {
            request.method(method, HttpRequest.BodyPublishers.noBody());
        }
        headers.forEach(request::header);
        if (token != null && isEndpoint(uri)) {
            request.header("Authorization", "Bearer " + token);
        }
        HubProxies.Endpoint proxy = proxy(uri);
        if (proxy != null && proxy.authorization() != null) {
            request.header("Proxy-Authorization", proxy.authorization());
        }
        HttpResponse<ResponseBody> response = send(request.build());
        reached = true;
        if (response.statusCode() / 100 == 2 || isRedirect(response)) {
            return response;
        }
        response.body().close();
        if (response.statusCode() == 407) {
            throw refusedBy(proxy, uri, "asks for other credentials (HTTP 407)");
        }
        throw HubErrors.of(response, repository, endpoint, isEndpoint(uri), token != null);
    }

    private HttpResponse<ResponseBody> send(HttpRequest request) throws IOException {
        try {
            return client.send(request, info -> new ResponseBody(shown(request.uri()), timeout));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while asking the hub");
        } catch (SSLHandshakeException e) {
            throw new HubException(
                    HubException.Reason.UNREACHABLE,
                    shown(request.uri()) + ": no secure connection: " + e.getMessage(),
                    e);
        } catch (IOException e) {
            HubProxies.Endpoint proxy = proxy(request.uri());
            String problem = describe(e);
            if (proxy != null && problem.startsWith(TUNNEL_REFUSED)) {
                // a proxy that has an opinion is not asked again
                String status = problem.substring(TUNNEL_REFUSED.length()).strip();
                throw refusedBy(proxy, request.uri(), "answered HTTP " + status);
            }
            String message =
                    shown(request.uri())
                            + ": "
                            + problem
                            + (proxy == null ? "" : " (through the proxy " + proxy + ")");
            boolean unconnected =
                    e instanceof ConnectException || e instanceof HttpConnectTimeoutException;
            if (unconnected && !reached) {
                // a host that never answered is no host that stumbled
                throw new HubException(
                        HubException.Reason.UNREACHABLE,
                        repository
                                + " is no directory here, and the hub cannot be asked: "
                                + message
                                + "; check the network and "
                                + (proxy == null ? "HF_ENDPOINT" : proxy.variable()),
                        e);
            }
            throw new TransientFailure(HubException.Reason.UNREACHABLE, message, e);
        }
    }

    private HubProxies.@Nullable Endpoint proxy(URI uri) {
        return proxies == null ? null : proxies.endpoint(uri);
    }

    private static HubException refusedBy(
            HubProxies.@Nullable Endpoint proxy, URI uri, String problem) {
        return new HubException(
                HubException.Reason.UNREACHABLE,
                shown(uri)
                        + ": the proxy "
                        + (proxy == null ? "of the JVM's settings" : proxy)
                        + " "
                        + problem);
    }

    private static String describe(IOException e) {
        if (e instanceof ConnectException) {
            return "cannot connect";
        }
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }

    /** Whether a URI has the endpoint's origin, so that the token may go there. */
    boolean isEndpoint(URI uri) {
        return endpoint.getScheme().equalsIgnoreCase(uri.getScheme())
                && endpoint.getHost().equalsIgnoreCase(uri.getHost())
                && port(endpoint) == port(uri);
    }

    static int port(URI uri) {
        if (uri.getPort() >= 0) {
            return uri.getPort();
        }
        return "https".equalsIgnoreCase(uri.getScheme()) ? 443 : 80;
    }

    static URI target(URI from, HttpResponse<?> response) throws HubException {
        return target(from, response.headers().firstValue("Location").orElse(""));
    }

    /** Where a redirect leads; never from a secure connection to an open one. */
    static URI target(URI from, String location) throws HubException {
        URI target;
        try {
            target = from.resolve(new URI(location));
        } catch (URISyntaxException e) {
            throw new HubException(
                    HubException.Reason.PROTOCOL, shown(from) + ": a redirect to no URL", e);
        }
        String scheme = String.valueOf(target.getScheme()).toLowerCase(Locale.ROOT);
        boolean secured = "https".equalsIgnoreCase(from.getScheme());
        if (location.isEmpty()
                || target.getHost() == null
                || !(scheme.equals("https") || (scheme.equals("http") && !secured))) {
            throw new HubException(
                    HubException.Reason.PROTOCOL,
                    shown(from)
                            + ": expected a redirect to "
                            + (secured ? "https" : "http or https")
                            + ", found one to "
                            + (location.isEmpty() ? "nothing" : shown(target)));
        }
        return target;
    }

    /** A URI for a message: without its query, which may hold a signature. */
    static String shown(URI uri) {
        String port = uri.getPort() < 0 ? "" : ":" + uri.getPort();
        return uri.getScheme() + "://" + uri.getHost() + port + uri.getRawPath();
    }
}
