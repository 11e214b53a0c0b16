// Which pairs of activations have moments in closed form, and what these are: polynomials and steps (step_pair.hpp) with
// each other and with exp; exp, sin and cos with each other and with polynomials (wave_pair.hpp).
#pragma once

#include "wave_pair.hpp"

namespace hessorbit::population {

inline bool has_closed_form(const Shape& a, const Shape& b) {
    const auto steps_a = step_form<double>(a), steps_b = step_form<double>(b);
    const auto wave_a = wave_form<double>(a), wave_b = wave_form<double>(b);
    const auto beside = [](const auto& wave, const auto& steps) {
        return !steps->has_step() || wave->lambda == std::complex<double>(1);
    };
    if (wave_a) return wave_b || (steps_b && beside(wave_a, steps_b));
    if (wave_b) return steps_a && beside(wave_b, steps_a);
    return steps_a && steps_b;
}

inline PairMoments<double> rounded(const PairMoments<long double>& moments) {
    PairMoments<double> result;
    for (std::size_t i = 0; i < moments.size(); ++i)
        std::transform(moments[i].begin(), moments[i].end(), result[i].begin(),
                       [](long double m) { return static_cast<double>(m); });
    return result;
}

// Moments of a pair that has a closed form, for derivatives of the loss up to an order.
template <class T>
class ClosedForm {
public:
    ClosedForm(const Shape& a, const Shape& b)
        : steps_a_(step_form<T>(a)), steps_b_(step_form<T>(b)), wave_a_(wave_form<T>(a)), wave_b_(wave_form<T>(b)) {}

    PairMoments<T> operator()(const Plane& plane, int order) const {
        const WavePair<T> waves(plane, order);
        if (wave_a_ && wave_b_) return waves(*wave_a_, *wave_b_);
        if (!wave_a_ && !wave_b_) return StepPair<T>(*steps_a_, *steps_b_, plane, order)();
        if (wave_a_ && !steps_b_->has_step()) return waves(*wave_a_, *steps_b_);
        if (wave_b_ && !steps_a_->has_step()) return waves(*steps_a_, *wave_b_);
        // The exponential of one neuron moves the bias of the other one by w_a·w_b.
        Plane moved = plane;
        const T product = T(plane.along_a) * plane.along_b;
        if (wave_a_) {
            moved.bias_b += product;
            return tilted(StepPair<T>(ones(), *steps_b_, moved, order)(), T(plane.bias_a), T(plane.along_a), T(0), order);
        }
        moved.bias_a += product;
        return tilted(StepPair<T>(*steps_a_, ones(), moved, order)(), T(plane.bias_b), T(plane.along_b),
                      T(plane.across_b), order);
    }

private:
    using Steps = std::optional<StepForm<T>>;
    using Wave = std::optional<WaveForm<T>>;

    // What is left of an exponential and its derivatives.
    static StepForm<T> ones() {
        StepForm<T> form;
        form.smooth = {Polynomial<T>{1}, Polynomial<T>{1}, Polynomial<T>{1}};
        return form;
    }

    Steps steps_a_, steps_b_;
    Wave wave_a_, wave_b_;
};

}  // namespace hessorbit::population
