package harness;

import java.util.Optional;
import org.apache.spark.connect.proto.AnalyzePlanRequest;
import org.apache.spark.connect.proto.ConfigRequest;
import org.apache.spark.connect.proto.ExecutePlanRequest;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connect.service.SessionHolderInfo;
import org.apache.spark.sql.connect.service.SessionKey;
import org.apache.spark.sql.connect.service.SparkConnectService$;
import org.apache.spark.sql.connect.service.SparkConnectService;
import org.apache.spark.sql.connect.service.SparkConnectSessionManager;
import org.sparkproject.connect.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import org.sparkproject.connect.grpc.Metadata;
import org.sparkproject.connect.grpc.ServerCall;
import org.sparkproject.connect.grpc.ServerCallHandler;
import org.sparkproject.connect.grpc.ServerInterceptor;
import org.sparkproject.connect.grpc.Status;
import org.sparkproject.connect.protobuf.Message;
import scala.Option;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Sessions of the users of isolated workspaces (harness/isolation): they begin in their own catalog, and end with it.
 *
 * <p>Such a user is called after the catalog, so nothing has to be told here: it is known as long as the catalog's folder is there.
 *
 * <p>In every session, functions in Python run with the credentials of its user ({@link Pythons}).
 */
public final class Sessions implements ServerInterceptor {
  private static final String USERS = "@workspace.harness.local"; // isolation/model.py makes the names
  private static final String BEGUN = "spark.harness.begunIn";

  @Override
  public <A, B> ServerCall.Listener<A> interceptCall(
      ServerCall<A, B> call, Metadata headers, ServerCallHandler<A, B> next) {
    return new Checked<>(call, next.startCall(call, headers));
  }

  /** Close every session of a user, ending what runs in them. */
  public static void end(String user) {
    SparkConnectSessionManager manager = SparkConnectService$.MODULE$.sessionManager();
    for (SessionHolderInfo each : CollectionConverters.asJava(manager.listActiveSessions())) {
      if (each.userId().equals(user)) {
        manager.closeSession(new SessionKey(each.userId(), each.sessionId()), false);
      }
    }
  }

  private static String folder(String user) {
    return user.endsWith(USERS) ? catalog(user) : Pythons.EVERYONE_ELSE;
  }

  private record Caller(String user, String session) {
    boolean isolated() {
      return user.endsWith(USERS);
    }
  }

  private static Optional<Caller> caller(Object message) {
    Caller found = null;
    if (message instanceof ExecutePlanRequest request) {
      found = new Caller(request.getUserContext().getUserId(), request.getSessionId());
    } else if (message instanceof AnalyzePlanRequest request) {
      found = new Caller(request.getUserContext().getUserId(), request.getSessionId());
    } else if (message instanceof ConfigRequest request) {
      found = new Caller(request.getUserContext().getUserId(), request.getSessionId());
    }
    return Optional.ofNullable(found);
  }

  private static String catalog(String user) {
    return user.substring(0, user.length() - USERS.length());
  }

  private static SparkSession session(Caller one) {
    return SparkConnectService.getOrCreateIsolatedSession(one.user(), one.session(), Option.empty()).session();
  }

  private static void begin(Caller one) {
    SparkSession session = session(one);
    if (session.conf().getOption(BEGUN).isEmpty()) {
      Catalogs.meet(session);
      session.conf().set("spark.sql.defaultCatalog", catalog(one.user()));
      session.conf().set(BEGUN, catalog(one.user()));
    }
  }

  private static boolean isClosed(Caller one) {
    return CollectionConverters.asJava(SparkConnectService$.MODULE$.sessionManager().listClosedSessions()).stream()
        .anyMatch(each -> each.userId().equals(one.user()) && each.sessionId().equals(one.session()));
  }

  /** Lets messages through; those of a user whose catalog is gone are refused. */
  private static final class Checked<A, B> extends SimpleForwardingServerCallListener<A> {
    private final ServerCall<A, B> call;
    private boolean refused;

    Checked(ServerCall<A, B> call, ServerCall.Listener<A> next) {
      super(next);
      this.call = call;
    }

    @Override
    public void onMessage(A message) {
      Optional<Caller> one = caller(message);
      if (one.filter(Caller::isolated).filter(each -> !Catalogs.isThere(catalog(each.user()))).isPresent()) {
        refused = true;
        String told = "The workspace of " + one.get().user() + " has been deleted, and its sessions with it";
        call.close(Status.UNAUTHENTICATED.withDescription(told), new Metadata());
        return;
      }
      one.filter(Caller::isolated).ifPresent(Sessions::begin);
      if (one.isPresent() && message instanceof Message plan && Pythons.isIn(plan) && !isClosed(one.get())) {
        Pythons.tell(session(one.get()), folder(one.get().user()));
      }
      super.onMessage(heard(message));
    }

    @SuppressWarnings("unchecked")
    private A heard(A message) {
      return message instanceof ExecutePlanRequest || message instanceof AnalyzePlanRequest
          ? (A) Requests.heard((Message) message)
          : message;
    }

    @Override
    public void onHalfClose() {
      if (!refused) {
        super.onHalfClose();
      }
    }
  }
}
