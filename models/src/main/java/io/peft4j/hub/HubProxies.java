package io.peft4j.hub;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The proxies of {@code HTTPS_PROXY}, {@code HTTP_PROXY}, {@code ALL_PROXY} and the exceptions of
 * {@code NO_PROXY}, as {@code huggingface_hub} has them from Python's libraries: names in small
 * letters win, a port need not be given, and an exception is a host, a domain with its subdomains
 * ({@code example.com}), the subdomains alone ({@code .example.com}), an address, a network ({@code
 * 10.0.0.0/8}), any of them with a port, or {@code *} for all hosts.
 *
 * <p>Credentials in a proxy's URL go to that proxy in {@code Proxy-Authorization} and are in no
 * message. The JDK sends them to a proxy for HTTPS only where {@code
 * jdk.http.auth.tunneling.disabledSchemes} is empty; that is set here, which comes too late in an
 * application that has used the JDK's client before: it sets it itself, at its start.
 */
final class HubProxies extends ProxySelector {

    /** What the JDK reads once, when its client is first used. */
    private static final String TUNNEL_SCHEMES = "jdk.http.auth.tunneling.disabledSchemes";

    private static final Pattern ADDRESS =
            Pattern.compile("[0-9.]+|\\[?[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*\\]?");
    private static final Pattern PORT = Pattern.compile("(.*[^:]):(\\d{1,5})");

    /**
     * A proxy.
     *
     * @param variable where it is from
     * @param address where it listens, resolved when it is used
     * @param authorization the value of the header, or null
     */
    record Endpoint(String variable, InetSocketAddress address, @Nullable String authorization) {

        /** For messages, without credentials. */
        @Override
        public String toString() {
            return address.getHostString() + ":" + address.getPort() + " of " + variable;
        }
    }

    private final @Nullable Endpoint https;
    private final @Nullable Endpoint http;
    private final List<String> exceptions;

    private HubProxies(@Nullable Endpoint https, @Nullable Endpoint http, List<String> exceptions) {
        this.https = https;
        this.http = http;
        this.exceptions = exceptions;
    }

    /**
     * Reads the proxies.
     *
     * @return them, or nothing if no variable names one: then the JVM's own settings hold
     * @throws IllegalArgumentException if a variable that is needed has a value that cannot be
     */
    static Optional<HubProxies> of(Map<String, String> variables) {
        Endpoint all = endpoint(variables, "ALL_PROXY");
        Endpoint https = endpoint(variables, "HTTPS_PROXY");
        Endpoint http = endpoint(variables, "HTTP_PROXY");
        https = https == null ? all : https;
        http = http == null ? all : http;
        if (https == null && http == null) {
            return Optional.empty();
        }
        List<String> exceptions = new ArrayList<>();
        String without = value(variables, "NO_PROXY");
        for (String entry : without == null ? new String[0] : without.split(",")) {
            if (!entry.isBlank()) {
                exceptions.add(entry.strip().toLowerCase(Locale.ROOT));
            }
        }
        HubProxies proxies = new HubProxies(https, http, exceptions);
        if (https != null && https.authorization() != null) {
            permitBasicInTunnels();
        }
        return Optional.of(proxies);
    }

    /** The JDK withholds a password from a proxy for HTTPS unless it is told otherwise. */
    private static void permitBasicInTunnels() {
        if (System.getProperty(TUNNEL_SCHEMES) == null) {
            System.setProperty(TUNNEL_SCHEMES, "");
        }
    }

    private static @Nullable String value(Map<String, String> variables, String name) {
        String small = name.toLowerCase(Locale.ROOT);
        String value = variables.containsKey(small) ? variables.get(small) : variables.get(name);
        return value == null || value.isBlank() ? null : value.strip();
    }

    private static @Nullable Endpoint endpoint(Map<String, String> variables, String name) {
        String text = value(variables, name);
        if (text == null) {
            return null;
        }
        try {
            URI uri = new URI(text.contains("://") ? text : "http://" + text);
            if (uri.getHost() != null && "http".equalsIgnoreCase(uri.getScheme())) {
                int port = uri.getPort() < 0 ? 80 : uri.getPort();
                String host = uri.getHost().replaceAll("[\\[\\]]", "");
                return new Endpoint(
                        name,
                        InetSocketAddress.createUnresolved(host, port),
                        basic(uri.getRawUserInfo()));
            }
        } catch (URISyntaxException e) {
            // reported below, without the text and without this cause: both hold the password
        }
        throw new IllegalArgumentException(
                name + ": expected a proxy such as http://host:port, found another URL");
    }

    private static @Nullable String basic(@Nullable String userInfo) {
        if (userInfo == null || userInfo.isEmpty()) {
            return null;
        }
        String plain = URLDecoder.decode(userInfo.replace("+", "%2B"), StandardCharsets.UTF_8);
        String credentials = plain.contains(":") ? plain : plain + ":";
        return "Basic "
                + Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8));
    }

    /** The proxy on the way to a URI, or null if it is asked directly. */
    @Nullable Endpoint endpoint(URI uri) {
        Endpoint endpoint = "https".equalsIgnoreCase(uri.getScheme()) ? https : http;
        return endpoint == null || isExcepted(uri) ? null : endpoint;
    }

    @Override
    public List<Proxy> select(URI uri) {
        Endpoint endpoint = endpoint(uri);
        if (endpoint == null) {
            return List.of(Proxy.NO_PROXY);
        }
        InetSocketAddress address = endpoint.address();
        return List.of(
                new Proxy(
                        Proxy.Type.HTTP,
                        new InetSocketAddress(address.getHostString(), address.getPort())));
    }

    @Override
    public void connectFailed(URI uri, SocketAddress address, IOException failure) {
        // the request fails with the same exception
    }

    private boolean isExcepted(URI uri) {
        String host = uri.getHost().toLowerCase(Locale.ROOT).replaceAll("[\\[\\]]", "");
        int port = HubHttp.port(uri);
        for (String exception : exceptions) {
            if (exception.equals("*") || matches(exception, host, port)) {
                return true;
            }
        }
        return false;
    }

    private static boolean matches(String exception, String host, int port) {
        String name = exception.replaceFirst("^[a-z]+://", "");
        var ported = PORT.matcher(name);
        // the last part of a bare IPv6 address is no port
        if (ported.matches() && (name.startsWith("[") || ported.group(1).indexOf(':') < 0)) {
            if (Integer.parseInt(ported.group(2)) != port) {
                return false;
            }
            name = ported.group(1);
        }
        name = name.replaceAll("[\\[\\]]", "");
        int slash = name.indexOf('/');
        if (slash > 0) {
            return isWithin(host, name.substring(0, slash), name.substring(slash + 1));
        }
        if (ADDRESS.matcher(name).matches() || name.equals("localhost")) {
            return host.equals(name);
        }
        String domain = name.startsWith("*.") ? name.substring(1) : name;
        return domain.startsWith(".")
                ? host.endsWith(domain)
                : host.equals(domain) || host.endsWith("." + domain);
    }

    /** Whether an address is one of a network's; a name never is. */
    private static boolean isWithin(String host, String network, String bits) {
        if (!ADDRESS.matcher(host).matches() || !ADDRESS.matcher(network).matches()) {
            return false;
        }
        try {
            byte[] address = InetAddress.getByName(host).getAddress(); // no question to a server
            byte[] first = InetAddress.getByName(network).getAddress();
            int length = Integer.parseInt(bits);
            if (address.length != first.length || length < 0 || length > 8 * first.length) {
                return false;
            }
            for (int i = 0; i < length; i++) {
                if (((address[i / 8] ^ first[i / 8]) >> (7 - i % 8) & 1) != 0) {
                    return false;
                }
            }
            return true;
        } catch (UnknownHostException | NumberFormatException e) {
            return false;
        }
    }
}
