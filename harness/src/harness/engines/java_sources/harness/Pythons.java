package harness;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.SparkEnv;
import org.apache.spark.connect.proto.CommonInlineUserDefinedDataSource;
import org.apache.spark.connect.proto.PythonUDF;
import org.apache.spark.connect.proto.PythonUDTF;
import org.apache.spark.sql.classic.SparkSession;
import org.sparkproject.connect.protobuf.Message;

/** The Python that functions of a session run on: a script with the credentials of the session's user (engines/udf_pythons.py). */
final class Pythons {
  static final String EVERYONE_ELSE = "workspace"; // whoever has no isolated workspace is the harness's own user
  private static final String SCRIPTS = "spark.harness.pythons";
  private static final String OF_SESSION = "spark.sql.execution.pyspark.python";

  private Pythons() {}

  /** Whether a message of a client brings a function in Python: sessions that send none keep the workers that all share. */
  static boolean isIn(Message message) {
    if (message instanceof PythonUDF || message instanceof PythonUDTF || message instanceof CommonInlineUserDefinedDataSource) {
      return true;
    }
    return message.getAllFields().values().stream()
        .flatMap(value -> value instanceof List<?> several ? several.stream() : Stream.of(value))
        .anyMatch(value -> value instanceof Message part && isIn(part));
  }

  /** Let functions of a session run on the script in a folder, unless the session says on which (tasks do). */
  static void tell(SparkSession session, String folder) {
    Path script = Path.of(SparkEnv.get().conf().get(SCRIPTS), folder, "python");
    if (session.conf().getOption(OF_SESSION).isEmpty() && Files.isExecutable(script)) {
      session.conf().set(OF_SESSION, script.toString());
    }
  }
}
